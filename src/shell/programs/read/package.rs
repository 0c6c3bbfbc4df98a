//! Names of packages, and statements of databases.

pub(super) enum Source<'p> {
    Named(&'p str),
    Place(&'p str),
    /// A URL, a repository, another name for something: nobody knows what it brings.
    Elsewhere,
}

/// Takes the version and extras off a name, by the rules of the ecosystem.
pub(super) fn package<'p>(ecosystem: &str, text: &'p str) -> Source<'p> {
    let extra = |text: &'p str| text.split('[').next().unwrap_or(text);
    let is_place = |text: &str| {
        text == "."
            || text == ".."
            || text.starts_with(['/', '~', '\\'])
            || text.starts_with("./")
            || text.starts_with("../")
    };
    if text.contains("://") || text.starts_with("git+") || text.contains(char::is_whitespace) {
        return Source::Elsewhere;
    }
    let place = if ecosystem == "pypi" { extra(text) } else { text };
    if is_place(place) {
        return Source::Place(place);
    }
    let name = match ecosystem {
        "npm" => match text.get(1..).unwrap_or_default().split_once('@') {
            Some((_, version)) if version.contains([':', '/']) => return Source::Elsewhere,
            Some((name, _)) => text.get(..=name.len()).unwrap_or(text),
            None => text,
        },
        "pypi" => {
            let end = text.find(['=', '<', '>', '!', '~', ';', '[', '@', ',']);
            let (name, rest) =
                text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
            if name.contains('/') {
                return match std::path::Path::new(name).extension() {
                    Some(_) => Source::Place(name),
                    None if rest.starts_with('[') || rest.is_empty() => Source::Place(name),
                    None => Source::Elsewhere,
                };
            }
            if rest.starts_with('@') && rest.contains('/') {
                return Source::Elsewhere;
            }
            let wheel = [".whl", ".tar.gz", ".zip", ".tar.bz2"];
            if wheel.iter().any(|end| text.ends_with(end)) {
                return Source::Place(text);
            }
            name
        }
        "crates" | "go" | "uv" => text.split('@').next().unwrap_or(text),
        "apt" | "brew" | "conda" => text.split(['=', '/']).next().unwrap_or(text),
        _ => text.split(['@', '=', ':']).next().unwrap_or(text),
    };
    let scoped = ecosystem == "npm" && name.starts_with('@') && name.matches('/').count() == 1;
    let pathlike = name.contains('/') && ecosystem != "go" && ecosystem != "composer" && !scoped;
    let archive = [".tgz", ".tar.gz", ".gem", ".deb", ".rpm"].iter().any(|end| name.ends_with(end));
    match name {
        "" => Source::Elsewhere,
        _ if archive => Source::Place(text),
        _ if pathlike || name.contains(':') => Source::Elsewhere,
        _ => Source::Named(name),
    }
}

/// The package that `npm create name` runs: `create-name`, without a version.
pub(super) fn initializer(text: &str) -> Option<String> {
    let name = text.split('@').next().unwrap_or(text);
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    (plain && !name.is_empty()).then(|| format!("create-{name}"))
}

pub(super) fn is_source(name: &str) -> bool {
    [".ts", ".js", ".mjs", ".cjs", ".tsx", ".jsx", ".mts"].iter().any(|end| name.ends_with(end))
}

/// The program that `npx name@1` runs: the last part of the name, if it is a plain name.
pub(super) fn binary(text: &str) -> Option<&str> {
    let name =
        text.strip_prefix('@').and_then(|text| text.split_once('/')).map_or(text, |(_, name)| name);
    let name = name.split(['@', '=']).next().unwrap_or(name);
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let own = plain && !name.is_empty() && !name.starts_with('.') && !OF_THE_SHELL.contains(&name);
    own.then_some(name)
}

/// Names that mean something else to a shell than to whoever starts a file of that name.
const OF_THE_SHELL: &[&str] = &[
    "alias",
    "bg",
    "bind",
    "builtin",
    "cd",
    "command",
    "coproc",
    "declare",
    "dirs",
    "eval",
    "exec",
    "exit",
    "export",
    "fc",
    "fg",
    "function",
    "hash",
    "history",
    "jobs",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "pushd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "time",
    "trap",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "wait",
];

/// A statement that at most reads and writes the database itself, or a command that shows it.
pub(super) fn is_plain_sql(text: &str) -> bool {
    let mut words = text.split(' ');
    let shows = matches!(
        words.next(),
        Some(".tables" | ".schema" | ".indexes" | ".indices" | ".databases" | ".dump" | ".show")
    );
    let plain = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_%*".contains(&b));
    if shows && words.all(plain) {
        return true;
    }
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let dangerous = |found: &[u8]| {
        SQL_WORDS.iter().any(|known| found.eq_ignore_ascii_case(known.as_bytes()))
            || SQL_STARTS.iter().any(|known| {
                found
                    .get(..known.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
            })
    };
    // `.shell`, `\!`: commands of the client.
    let lines_are_plain = text.lines().all(|line| !line.trim_start().starts_with(['.', '!', '#']));
    lines_are_plain
        && !text.contains('\\')
        && !text.as_bytes().split(|&byte| !word(byte)).any(dangerous)
}

/// Words that reach outside of the database in one of the dialects, or hand over code or rights.
const SQL_WORDS: &[&str] = &[
    "attach",
    "readfile",
    "writefile",
    "edit",
    "program",
    "copy",
    "outfile",
    "dumpfile",
    "infile",
    "into_file",
    "system",
    "source",
    "tee",
    "pager",
    "delimiter",
    "prompt",
    "shell",
    "extension",
    "language",
    "function",
    "procedure",
    "fsdir",
    "zipfile",
    "role",
    "user",
    "grant",
    "server",
    "do",
    "foreign",
    "subscription",
    "publication",
    "tablespace",
    "plugin",
    "install",
    "connect",
    "vacuum",
    "xp_cmdshell",
    "exec",
    "execute",
    "import",
    "export",
    "url",
    "s3",
    "file",
    "dblink",
    "temp_store_directory",
    "data_store_directory",
];
const SQL_STARTS: &[&str] = &[
    "load_",
    "pg_read",
    "pg_ls",
    "pg_write",
    "lo_",
    "dblink",
    "fts3_tok",
    "sys_",
    "xp_",
    "sp_",
    "query_to_",
];
