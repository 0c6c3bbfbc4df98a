// Command notes opens checkpoints and checks proofs with the packages that Go's checksum database is
// made with: golang.org/x/mod/sumdb/note and tlog. Nothing of this project is used.
//
// It reads a directory with the files vkey, old.note, new.note, consistency (one hash a line), line and
// line.tlog-proof, and says "ok" or what is wrong.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func read(name string) string {
	data, err := os.ReadFile(filepath.Join(os.Args[1], name))
	if err != nil {
		log.Fatal(err)
	}
	return string(data)
}

func hashes(lines []string) []tlog.Hash {
	var all []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			log.Fatalf("%q: %v", line, err)
		}
		all = append(all, hash)
	}
	return all
}

func open(text string) (int64, tlog.Hash) {
	verifier, err := note.NewVerifier(strings.TrimSpace(read("vkey")))
	if err != nil {
		log.Fatal(err)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		log.Fatal(err)
	}
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		log.Fatalf("the origin %q is not the name %q", lines[0], verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	return size, hashes(lines[2:3])[0]
}

func main() {
	log.SetFlags(0)
	oldSize, oldRoot := open(read("old.note"))
	newSize, newRoot := open(read("new.note"))
	var proof tlog.TreeProof
	if text := strings.TrimSpace(read("consistency")); text != "" {
		proof = hashes(strings.Split(text, "\n"))
	}
	if err := tlog.CheckTree(proof, newSize, newRoot, oldSize, oldRoot); err != nil {
		log.Fatalf("consistency: %v", err)
	}

	head, checkpoint, _ := strings.Cut(read("line.tlog-proof"), "\n\n")
	size, root := open(checkpoint)
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		log.Fatalf("not a proof: %q", lines[0])
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	leaf := tlog.RecordHash([]byte(read("line")))
	if err := tlog.CheckRecord(hashes(lines[2:]), size, root, index, leaf); err != nil {
		log.Fatalf("inclusion: %v", err)
	}
	fmt.Println("ok")
}
