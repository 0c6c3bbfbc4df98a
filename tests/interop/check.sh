#!/usr/bin/env bash
# Follows the chains of a small receipt file and verifies every signature with b3sum and openssl alone.
#
#   check.sh FILE IDENTITY
#
# It is no verifier: it looks at links and signatures, and at nothing that they say.
set -euo pipefail
file=$1 identity=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

link() { printf %s "$1" | b3sum --no-names --derive-key "countersign 2026-11 receipt line v1"; }
bytes() { printf "%b" "$(sed 's/../\\x&/g' <<<"$1")"; }

# An Ed25519 key as RFC 8410 writes it: a fixed head, and the key.
public_key() {
    { echo "-----BEGIN PUBLIC KEY-----"
      { bytes 302a300506032b6570032100; bytes "$1"; } | base64 -w0
      printf '\n-----END PUBLIC KEY-----\n'; } >"$folder/$1.pem"
}

member() { sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p" <<<"$1"; }

declare -A last keys
public_key "$identity"
lines=0 signatures=0
while IFS= read -r line; do
    lines=$((lines + 1))
    kind=$(sed 's/^{"\([a-z]*\)".*/\1/' <<<"$line")
    case $kind in
        epoch | open | head | close) chain=journal ;;
        *) chain=$(member "$line" session) ;;
    esac
    # Before the first receipt of a session and the first epoch there is nothing to name.
    prev=$(sed -n 's/.*,"prev":"\([0-9a-f]*\)".*/\1/p' <<<"$line")
    if [[ $prev != "${last[$chain]:-}" ]]; then
        echo "line $lines: the link is $prev, not ${last[$chain]:-none}" >&2
        exit 1
    fi
    last[$chain]=$(link "$line")
    signature=$(sed -n 's/.*,"sig":"\([0-9a-f]*\)"}$/\1/p' <<<"$line")
    if [[ -z $signature ]]; then
        continue
    fi
    epoch=$(sed 's/.*"epoch":\([0-9]*\),.*/\1/' <<<"${line#\{\"epoch\":}")
    if [[ $kind == epoch ]]; then
        keys[$epoch]=$(member "$line" key)
        public_key "${keys[$epoch]}"
        key=$identity
    else
        key=${keys[$epoch]}
    fi
    body=${line#"{\"$kind\":"}
    body=${body%",\"sig\":\"$signature\"}"}
    printf 'countersign %s v1\n%s' "$kind" "$body" >"$folder/message"
    bytes "$signature" >"$folder/signature"
    openssl pkeyutl -verify -pubin -inkey "$folder/$key.pem" -rawin -in "$folder/message" \
        -sigfile "$folder/signature" >/dev/null || { echo "line $lines: signature" >&2; exit 1; }
    signatures=$((signatures + 1))
done <"$file"
echo "ok: $lines lines, $signatures signatures"
