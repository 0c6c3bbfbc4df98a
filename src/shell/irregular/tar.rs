//! `tar`: old and new spellings of one language; some options run programs.

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, begins_locally, join, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

/// Options that are missing here are opaque: `--rsh-command`, `--rmt-command`, `--overwrite` and
/// `--keep-directory-symlink` (they write through links).
const OPTIONS: Options = Options {
    rows: &[
        ("c create", Nothing),
        ("x extract get", Nothing),
        ("t list", Nothing),
        ("r append", Nothing),
        ("u update", Nothing),
        ("A catenate concatenate", Nothing),
        ("d diff compare", Nothing),
        ("delete", Nothing),
        ("f file", Value),
        ("C directory", Value),
        ("v verbose", Nothing),
        ("z gzip gunzip ungzip", Nothing),
        ("j bzip2", Nothing),
        ("J xz", Nothing),
        ("Z compress uncompress", Nothing),
        ("zstd", Nothing),
        ("lzma", Nothing),
        ("lzip", Nothing),
        ("lzop", Nothing),
        ("a auto-compress", Nothing),
        ("no-auto-compress", Nothing),
        ("I use-compress-program", Value),
        ("to-command", Value),
        ("F info-script new-volume-script", Value),
        ("checkpoint", Attached),
        ("checkpoint-action", Value),
        ("O to-stdout", Nothing),
        ("P absolute-names", Nothing),
        ("T files-from", Value),
        ("X exclude-from", Value),
        ("exclude", Value),
        ("exclude-vcs", Nothing),
        ("exclude-vcs-ignores", Nothing),
        ("exclude-backups", Nothing),
        ("exclude-caches", Nothing),
        ("exclude-caches-all", Nothing),
        ("exclude-tag", Value),
        ("exclude-tag-all", Value),
        ("exclude-ignore", Value),
        ("g listed-incremental", Value),
        ("G incremental", Nothing),
        ("add-file", Value),
        ("index-file", Value),
        ("owner-map", Value),
        ("group-map", Value),
        ("volno-file", Value),
        ("one-top-level", Attached),
        ("transform xform", Value),
        ("strip-components", Value),
        ("remove-files", Nothing),
        ("no-recursion", Nothing),
        ("recursion", Nothing),
        ("force-local", Nothing),
        ("b blocking-factor", Value),
        ("H format", Value),
        ("K starting-file", Value),
        ("L tape-length", Value),
        ("N newer after-date", Value),
        ("newer-mtime", Value),
        ("mtime", Value),
        ("V label", Value),
        ("mode", Value),
        ("owner", Value),
        ("group", Value),
        ("sort", Value),
        ("pax-option", Value),
        ("record-size", Value),
        ("warning", Value),
        ("quoting-style", Value),
        ("totals", Attached),
        ("occurrence", Attached),
        ("atime-preserve", Attached),
        ("B read-full-records", Nothing),
        ("i ignore-zeros", Nothing),
        ("k keep-old-files", Nothing),
        ("skip-old-files", Nothing),
        ("keep-newer-files", Nothing),
        ("l check-links", Nothing),
        ("m touch", Nothing),
        ("n seek", Nothing),
        ("o", Nothing),
        ("old-archive portability", Nothing),
        ("posix", Nothing),
        ("p preserve-permissions same-permissions", Nothing),
        ("no-same-permissions", Nothing),
        ("same-owner", Nothing),
        ("no-same-owner", Nothing),
        ("numeric-owner", Nothing),
        ("R block-number", Nothing),
        ("s preserve-order same-order", Nothing),
        ("S sparse", Nothing),
        ("U unlink-first", Nothing),
        ("recursive-unlink", Nothing),
        ("no-overwrite-dir", Nothing),
        ("overwrite-dir", Nothing),
        ("W verify", Nothing),
        ("w interactive confirmation", Nothing),
        ("h dereference", Nothing),
        ("hard-dereference", Nothing),
        ("one-file-system", Nothing),
        ("ignore-failed-read", Nothing),
        ("null", Nothing),
        ("wildcards", Nothing),
        ("no-wildcards", Nothing),
        ("wildcards-match-slash", Nothing),
        ("no-wildcards-match-slash", Nothing),
        ("anchored", Nothing),
        ("no-anchored", Nothing),
        ("ignore-case", Nothing),
        ("no-ignore-case", Nothing),
        ("acls", Nothing),
        ("no-acls", Nothing),
        ("xattrs", Nothing),
        ("no-xattrs", Nothing),
        ("selinux", Nothing),
        ("no-selinux", Nothing),
        ("clamp-mtime", Nothing),
        ("delay-directory-restore", Nothing),
        ("full-time", Nothing),
        ("show-defaults", Nothing),
        ("show-omitted-dirs", Nothing),
        ("show-transformed-names show-stored-names", Nothing),
        ("test-label", Nothing),
        ("utc", Nothing),
        ("help", Nothing),
        ("usage", Nothing),
        ("version", Nothing),
    ],
    permute: true,
};

/// The longest directory, in bytes.
const MAX_PATH: usize = 4096;

/// Adds what `tar` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(arguments) = expand_bundle(invocation.arguments) else {
        return opaque(out, Reason::ShellArguments, invocation.span);
    };
    let directory = Text::known(".", invocation.span);
    let mut line = Line { directory, ..Line::default() };
    for item in Reader::new(&OPTIONS, &arguments, invocation.span) {
        match item {
            Item::Option(name, value) => line.option(name, value, out),
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) => {
                line.members.push((line.directory.clone(), operand.clone()));
            }
        }
    }
    line.run(invocation, out);
}

/// Rewrites `tar xzf a.tgz` as `tar -x -z -f a.tgz`: values follow in the order of their letters.
fn expand_bundle<'s>(arguments: &[Text<'s>]) -> Option<Vec<Text<'s>>> {
    let Some((bundle, rest)) = arguments.split_first() else { return Some(Vec::new()) };
    if bundle.starts_with("-") || bundle.literal().is_none() {
        return Some(arguments.to_vec());
    }
    let mut rest = rest.iter();
    let mut expanded = Vec::with_capacity(arguments.len() + bundle.text.len());
    for letter in bundle.text.chars() {
        expanded.push(Text::known(format!("-{letter}"), bundle.span));
        if "bfCFgHIKLNTVX".contains(letter) {
            expanded.push(rest.next()?.clone());
        }
    }
    expanded.extend(rest.cloned());
    Some(expanded)
}

#[derive(Debug, Default)]
struct Line<'s> {
    mode: Option<&'static str>,
    archives: Vec<Text<'s>>,
    /// The directory that members start at, as the options before them set it.
    directory: Text<'s>,
    members: Vec<(Text<'s>, Text<'s>)>,
    programs: Vec<Text<'s>>,
    /// `-T`, `--one-top-level`, …: what extracting would write is not told by the line.
    absolute: bool,
    list: bool,
    snapshot: Option<Text<'s>>,
    to_stdout: bool,
    top_level: Option<Text<'s>>,
    flat: bool,
    remove: bool,
    force_local: bool,
}

impl<'s> Line<'s> {
    fn option(&mut self, name: &'static str, value: Option<Text<'s>>, out: &mut Vec<Deed<'s>>) {
        let read = |path| Deed::Read { path, recursive: false };
        match (name, value) {
            ("c" | "x" | "t" | "r" | "u" | "A" | "d" | "delete" | "test-label", None) => {
                if self.mode.is_some_and(|mode| mode != name) {
                    let span = self.directory.span;
                    opaque(out, Reason::ShellArguments, span);
                }
                self.mode = Some(name);
            }
            ("f", Some(archive)) => self.archives.push(archive),
            ("C", Some(directory)) => {
                self.directory = join(&self.directory, &directory);
                // No system takes a longer path; and each member gets it in front.
                if self.directory.text.len() > MAX_PATH {
                    opaque(out, Reason::ShellTooLarge, directory.span);
                    self.directory = Text::known("", directory.span);
                }
            }
            ("I", Some(program)) => self.programs.push(program),
            ("to-command" | "F", Some(script)) => out.push(Deed::Shell { script, login: false }),
            ("checkpoint-action", Some(action)) => match action.split_once('=') {
                Some(("exec", script)) => out.push(Deed::Shell { script, login: false }),
                Some(("echo" | "ttyout" | "sleep", _)) => {}
                _ if matches!(action.literal(), Some("dot" | "." | "echo" | "bell" | "totals")) => {
                }
                _ => opaque(out, Reason::ShellUnknownOption, action.span),
            },
            ("T", Some(list)) => {
                // Its lines are members or options.
                opaque(out, Reason::ShellDynamicPath, list.span);
                self.list = true;
                out.push(read(list));
            }
            ("X" | "owner-map" | "group-map", Some(path)) => out.push(read(path)),
            // A date that begins like a path is one.
            ("N" | "newer-mtime" | "mtime", Some(date))
                if date.starts_with("/") || date.starts_with(".") || date.may_be_option() =>
            {
                out.push(read(date));
            }
            ("add-file", Some(path)) => self.members.push((self.directory.clone(), path)),
            ("index-file" | "volno-file", Some(path)) => {
                out.push(Deed::Write { path, recursive: false });
            }
            ("g", Some(path)) => self.snapshot = Some(path),
            ("G", _) => self.absolute = true,
            ("P" | "transform", _) => self.absolute = true,
            ("one-top-level", Some(top)) => self.top_level = Some(top),
            ("O", _) => self.to_stdout = true,
            ("no-recursion", _) => self.flat = true,
            ("remove-files", _) => self.remove = true,
            ("force-local", _) => self.force_local = true,
            _ => {}
        }
    }

    fn run(mut self, invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
        let Some(mode) = self.mode else {
            // `--help` and such; anything else fails.
            if !invocation.arguments.iter().all(|argument| argument.starts_with("--")) {
                opaque(out, Reason::ShellArguments, invocation.span);
            }
            return;
        };
        let (reads, writes) = match mode {
            "c" => (false, true),
            "r" | "u" | "A" | "delete" => (true, true),
            _ => (true, false),
        };
        for archive in std::mem::take(&mut self.archives) {
            self.archive(archive, reads, writes, out);
        }
        for program in std::mem::take(&mut self.programs) {
            let mut script = program;
            if reads {
                script.text.to_mut().push_str(" -d");
            }
            out.push(Deed::Shell { script, login: false });
        }
        if let Some(path) = self.snapshot.take() {
            // Extracting with it deletes what the archive does not have.
            self.absolute = true;
            out.push(Deed::Read { path: path.clone(), recursive: false });
            out.push(Deed::Write { path, recursive: false });
        }
        match mode {
            "x" => self.extract(invocation, out),
            "c" | "r" | "u" | "d" => self.members(out),
            "A" => {
                let read = |(_, path)| Deed::Read { path, recursive: false };
                out.extend(self.members.into_iter().map(read));
            }
            _ => {}
        }
    }

    fn archive(&self, archive: Text<'s>, reads: bool, writes: bool, out: &mut Vec<Deed<'s>>) {
        if archive.literal() == Some("-") {
            return;
        }
        let host = archive.text.split('/').next().unwrap_or_default();
        // `host:file`; what is open may bring a colon along.
        if !self.force_local
            && !begins_locally(&archive)
            && archive.open.iter().any(|open| {
                open.start as usize <= host.len()
                    && open.what != crate::shell::deed::Unknown::Number
            })
        {
            opaque(out, Reason::ShellDynamicArgument, archive.span);
        } else if let Some((host, _)) = host.split_once(':').filter(|_| !self.force_local) {
            let host = host.rsplit('@').next().unwrap_or_default().to_owned();
            let host = Text::known(host, archive.span);
            out.push(Deed::Connect { host, port: Some(22), udp: false });
            return opaque(out, Reason::ShellNetwork, archive.span);
        }
        if reads {
            out.push(Deed::Read { path: archive.clone(), recursive: false });
        }
        if writes {
            out.push(Deed::Write { path: archive, recursive: false });
        }
    }

    fn extract(self, invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
        if self.absolute {
            opaque(out, Reason::ShellDynamicPath, invocation.span);
        }
        if self.to_stdout {
            return;
        }
        let mut places: Vec<Text<'s>> = Vec::new();
        let members = self.members.into_iter().map(|(directory, _)| directory);
        let mut directories: Vec<Text<'s>> = members.collect();
        if directories.is_empty() || self.list {
            directories.push(self.directory);
        }
        for directory in directories {
            let place = match &self.top_level {
                Some(top) => join(&directory, top),
                None => directory,
            };
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        out.extend(places.into_iter().map(|path| Deed::Create { path }));
    }

    fn members(self, out: &mut Vec<Deed<'s>>) {
        let recursive = !self.flat;
        for (directory, member) in &self.members {
            let path = join(directory, member);
            if self.remove {
                out.push(Deed::Delete { path: path.clone(), recursive });
            }
            out.push(Deed::Read { path, recursive });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn archives_are_made() {
        check("tar czf a.tgz src b", "write a.tgz; read src/**; read b/**");
        check("tar -czf a.tgz -C /srv x -C y z", "write a.tgz; read /srv/x/**; read /srv/y/z/**");
        check("tar cfC a d x", "write a; read d/x/**");
        check("tar --create --file=a --gzip ./*", "write a; read ./<glob>/**");
        check("tar -cf - . --exclude=.git", "read ./**");
        check("tar -cf /dev/fd/3 c", "write /dev/fd/3; read c/**");
        check("tar --no-recursion -cf a b", "write a; read b");
        check("tar -rf a b", "read a; write a; read b/**");
        check("tar -cf a -X e b --remove-files", "read e; write a; delete b/**; read b/**");
        check("tar -cg s -f a b", "write a; read s; write s; read b/**");
        check("tar cf a -- -x", "write a; read -x/**");
        check("tar -cf a C --add-file=d", "write a; read C/**; read d/**");
    }

    #[test]
    fn archives_are_taken_apart() {
        check("tar xzf a.tgz", "read a.tgz; create .");
        check("tar -xf a -C /opt", "read a; create /opt");
        check("tar -xf a m -C d n", "read a; create .; create d");
        check("tar -xf a --one-top-level=t", "read a; create t");
        check("tar -xO -f a m", "read a");
        check("tar tvf a", "read a");
        check("tar -df a b", "read a; read b/**");
        check("tar xPf a", "read a; !dynamic_path; create .");
        check("tar xf a --transform=s,^,/etc/,", "read a; !dynamic_path; create .");
        check("tar --version", "");
    }

    #[test]
    fn programs_are_run() {
        check("tar cf a -I 'zstd -3' b", "write a; shell `zstd -3`; read b/**");
        check("tar xf a -Ixz", "read a; shell `xz -d`; create .");
        check(
            "tar -cf a --checkpoint=1 --checkpoint-action=exec=id b",
            "shell `id`; write a; read b/**",
        );
        check("tar xf a --to-command='sh -c id'", "shell `sh -c id`; read a; create .");
        check("tar -cf o --info-script='rm -rf /' s", "shell `rm -rf /`; write o; read s/**");
        check("tar cFf id a b", "shell `id`; write a; read b/**");
    }

    #[test]
    fn doubt_is_opaque() {
        check("tar -cf evil:/a k", "connect evil:22; !network; read k/**");
        check("tar -cf u@evil:a k", "connect evil:22; !network; read k/**");
        check("tar -cf ./evil:/a k", "write ./evil:/a; read k/**");
        check("tar -cf evil:a --force-local k", "write evil:a; read k/**");
        for line in [
            "tar --cr --file=evil:/a k",
            "tar -- k",
            "tar -cf a --rsh-command=id b",
            "tar -cf a --checkpoint-action=ex=id b",
            "tar -cf a -T list",
            "tar -xf a --overwrite",
            "tar -cf a *",
            "tar -cf a \"$x\"",
            "tar cf \"$x\" b",
            "tar \"$x\" a b",
            "tar -xc a",
            "tar cf",
            "tar xf a -g s",
            "tar cf a --use-compress=id b",
            "tar c9 b",
        ] {
            check_opaque(line);
        }
    }
}
