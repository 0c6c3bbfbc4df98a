//! What running one command would do, before names are resolved: the language between what is known
//! of programs and the effects that are decided on.

use std::borrow::Cow;
use std::rc::Rc;

use crate::reason::Reason;
use crate::shell::syntax::Span;

/// Text of which parts may be known only when the line runs.
///
/// `open` holds the places in `text` that are not literal, sorted, without overlap. The text of an
/// open place is what was written there, and stands for something else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text<'s> {
    pub(crate) text: Cow<'s, str>,
    pub(crate) open: Vec<Open>,
    /// May expand to any number of arguments, none included.
    pub(crate) many: bool,
    pub(crate) span: Span,
}

/// One place in a [`Text`] that is not literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) what: Unknown,
}

/// What may stand at an open place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// A pattern matched against names that exist: no slash, and neither `.` nor `..`.
    Glob,
    /// As `Glob`, where no name begins with a dash.
    Name,
    /// A path below the place that the text before it names, or that place itself.
    Below,
    /// As `Below`, for files that are not in `.git`.
    Tracked,
    /// A whole number, without a sign.
    Number,
    /// Letters, digits, `_`, `:` and, behind the first, `-`; it may be nothing.
    Word,
    /// What `xargs -I` puts there.
    Mark,
    /// Anything at all.
    Anything,
}

/// Where a command's input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Stdin<'s> {
    /// From whoever runs the line: nothing that the line supplies.
    #[default]
    Inherited,
    /// From a pipe, a descriptor or a process.
    Piped,
    /// From a file.
    File(Rc<Text<'s>>),
    /// From the line itself. Shared: every command of a loop that is fed a long text has it.
    Text(Rc<Text<'s>>),
}

/// One command, ready to be looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invocation<'a, 's> {
    /// The program's name without directories; always literal.
    pub(crate) name: &'a str,
    /// The arguments behind the name.
    pub(crate) arguments: &'a [Text<'s>],
    pub(crate) stdin: &'a Stdin<'s>,
    /// The place of the whole command.
    pub(crate) span: Span,
}

/// One thing that a command would do. Paths start at the working directory unless they are absolute;
/// `recursive` means everything below too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed<'s> {
    Read {
        path: Text<'s>,
        recursive: bool,
    },
    Write {
        path: Text<'s>,
        recursive: bool,
    },
    Delete {
        path: Text<'s>,
        recursive: bool,
    },
    /// What the command creates below `path` is not known from the line (`tar -x`, `git clone`,
    /// `unzip`): everything below may be written, and later paths below it mean something unknown.
    Create {
        path: Text<'s>,
    },
    /// Files that the repository tracks at `path` or below it are written, or deleted; nothing in
    /// `.git`. Which of them the line does not tell. With `delete` it may be any file of the work
    /// tree there, tracked or not (`git clean`).
    Tracked {
        path: Text<'s>,
        delete: bool,
    },
    /// `link` will name what `target` names: `ln`. A relative `target` of a symbolic link starts at
    /// the directory of `link`.
    Link {
        target: Text<'s>,
        link: Text<'s>,
        symbolic: bool,
    },
    /// The new working directory of what follows in the same shell: `cd`.
    ChangeDirectory(Text<'s>),
    /// A URL is fetched or sent to. `method` as HTTP says it; `GET` where the command does not say.
    Url {
        url: Text<'s>,
        method: &'static str,
    },
    /// A connection. Without a port the place is denied.
    Connect {
        host: Text<'s>,
        port: Option<u16>,
        udp: bool,
    },
    /// As `Connect`, to a place that the program knows by itself: `registry.npmjs.org`.
    Service {
        host: &'static str,
        port: u16,
    },
    /// A connection to a place that the line does not name: a remote of `git`, a cluster.
    Remote {
        kind: &'static str,
        name: Text<'s>,
    },
    /// A port is opened. Without a host it is every address, without a port any.
    Listen {
        host: Text<'s>,
        port: Option<u16>,
        udp: bool,
    },
    /// `ssh -L`, `-R`, `-D`: `direction` is `local`, `remote` or `dynamic`; `exposes` what becomes
    /// reachable, `via` the peer that carries it.
    Tunnel {
        direction: &'static str,
        via: Text<'s>,
        exposes: Option<Text<'s>>,
    },
    /// An interpreter is handed to a peer (`nc -e`).
    RemoteShell {
        peer: Text<'s>,
        port: Option<u16>,
    },
    /// A text that a shell runs. `login`: start-up files are read.
    Shell {
        script: Text<'s>,
        login: bool,
    },
    /// A program is run with exactly these arguments, its name first.
    Command {
        argv: Vec<Text<'s>>,
    },
    /// As `Command`, with arguments at the end that nobody knows (`xargs`) or that are paths below
    /// `below` (`find -exec … {}`), which then stand in `argv` as open text.
    CommandWith {
        argv: Vec<Text<'s>>,
        appended: bool,
    },
    /// Code in another language that cannot be looked into: `python -c`.
    ForeignCode,
    /// Code that lies in the workspace is run: a script, or whatever a build tool finds at `place`.
    WorkspaceCode {
        place: Text<'s>,
    },
    /// A package is installed; `name` without a version.
    Package {
        ecosystem: &'static str,
        name: Text<'s>,
    },
    /// A privilege is taken or changed: `root`, `setuid`, `capability`, `mount`, `kernel-module`, …
    Privilege(Cow<'s, str>),
    /// The identity changes: `user:root`, `role:…`.
    Identity(Text<'s>),
    /// A secret is used, by name.
    Secret(Text<'s>),
    /// `provider` and `verb` (`create`, `update`, `delete`, …) in lower case.
    Infrastructure {
        provider: &'static str,
        verb: Cow<'s, str>,
        resource: Text<'s>,
        name: Text<'s>,
    },
    Publish {
        place: &'static str,
        name: Text<'s>,
        public: bool,
    },
    Message {
        channel: &'static str,
        recipient: Text<'s>,
    },
    Accelerator {
        kind: &'static str,
    },
    Job {
        queue: &'static str,
        name: Text<'s>,
    },
    /// A variable of the environment gets a value, for the program that is run.
    Environment {
        name: Text<'s>,
        value: Text<'s>,
    },
    /// A variable of the shell gets a value that is known only when the line runs (`read x`).
    Forget {
        name: Text<'s>,
    },
    /// Something that was not understood.
    Opaque {
        reason: Reason,
        span: Span,
    },
}

impl Unknown {
    /// Reports whether it stands for a path below the text before it.
    pub(crate) const fn is_below(self) -> bool {
        matches!(self, Self::Below | Self::Tracked)
    }
}

impl Text<'_> {
    /// Returns the same text, independent of the line.
    pub(crate) fn into_owned(self) -> Text<'static> {
        let Self { text, open, many, span } = self;
        Text { text: Cow::Owned(text.into_owned()), open, many, span }
    }
}

impl<'s> Text<'s> {
    /// Returns text that is known.
    pub(crate) fn known(text: impl Into<Cow<'s, str>>, span: Span) -> Self {
        Self { text: text.into(), open: Vec::new(), many: false, span }
    }

    /// Returns the text where all of it is known and it is exactly one argument.
    pub(crate) fn literal(&self) -> Option<&str> {
        (self.open.is_empty() && !self.many).then_some(&*self.text)
    }

    /// Reports whether the text begins with `prefix`, literally.
    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        self.text.starts_with(prefix)
            && self.open.first().is_none_or(|open| open.start as usize >= prefix.len())
    }

    /// Reports whether it may be an option, or several arguments among which one is: it begins with
    /// `-`, or nobody knows what it begins with.
    pub(crate) fn may_be_option(&self) -> bool {
        // What stands for a name in this directory is written with `./` and begins with no dash.
        let harmless = |open: &Open| match open.what {
            Unknown::Number | Unknown::Name | Unknown::Word => true,
            Unknown::Below | Unknown::Tracked => self.text.starts_with("./"),
            Unknown::Glob | Unknown::Mark | Unknown::Anything => false,
        };
        let open_first = self.open.first().is_some_and(|open| open.start == 0 && !harmless(open));
        let splits = self.many && self.open.iter().any(|open| open.what == Unknown::Anything);
        self.text.starts_with('-') || open_first || splits
    }

    /// Returns what follows the first `count` bytes, which must be literal.
    pub(crate) fn suffix(&self, count: usize) -> Option<Self> {
        let literal = self.open.first().is_none_or(|open| open.start as usize >= count);
        let text = match &self.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(count..)?),
            Cow::Owned(text) => Cow::Owned(text.get(count..)?.to_owned()),
        };
        let cut = u32::try_from(count).ok()?;
        let shift = |open: &Open| {
            Some(Open {
                start: open.start.checked_sub(cut)?,
                end: open.end.checked_sub(cut)?,
                ..*open
            })
        };
        let open = self.open.iter().map(shift).collect::<Option<Vec<_>>>()?;
        literal.then_some(Self { text, open, many: self.many, span: self.span })
    }

    /// Splits at the first literal `separator`, if it stands before everything that is open.
    pub(crate) fn split_once(&self, separator: char) -> Option<(&str, Self)> {
        let at = self.text.find(separator)?;
        let tail = self.suffix(at + separator.len_utf8())?;
        Some((self.text.get(..at)?, tail))
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl<'s> Deed<'s> {
    /// Returns the path that the deed is about.
    pub(crate) fn path(&self) -> Option<&Text<'s>> {
        match self {
            Self::Read { path, .. }
            | Self::Write { path, .. }
            | Self::Delete { path, .. }
            | Self::Create { path }
            | Self::Tracked { path, .. }
            | Self::Link { target: path, .. }
            | Self::WorkspaceCode { place: path } => Some(path),
            _ => None,
        }
    }
}

impl Deed<'_> {
    /// Returns the same deed, independent of the line.
    pub(crate) fn into_owned(self) -> Deed<'static> {
        match self {
            Self::Read { path, recursive } => Deed::Read { path: path.into_owned(), recursive },
            Self::Write { path, recursive } => Deed::Write { path: path.into_owned(), recursive },
            Self::Delete { path, recursive } => Deed::Delete { path: path.into_owned(), recursive },
            Self::Create { path } => Deed::Create { path: path.into_owned() },
            Self::Tracked { path, delete } => Deed::Tracked { path: path.into_owned(), delete },
            Self::Link { target, link, symbolic } => {
                Deed::Link { target: target.into_owned(), link: link.into_owned(), symbolic }
            }
            Self::ChangeDirectory(path) => Deed::ChangeDirectory(path.into_owned()),
            Self::Url { url, method } => Deed::Url { url: url.into_owned(), method },
            Self::Connect { host, port, udp } => {
                Deed::Connect { host: host.into_owned(), port, udp }
            }
            Self::Service { host, port } => Deed::Service { host, port },
            Self::Remote { kind, name } => Deed::Remote { kind, name: name.into_owned() },
            Self::Listen { host, port, udp } => Deed::Listen { host: host.into_owned(), port, udp },
            Self::Tunnel { direction, via, exposes } => Deed::Tunnel {
                direction,
                via: via.into_owned(),
                exposes: exposes.map(Text::into_owned),
            },
            Self::RemoteShell { peer, port } => Deed::RemoteShell { peer: peer.into_owned(), port },
            Self::Shell { script, login } => Deed::Shell { script: script.into_owned(), login },
            Self::Command { argv } => Deed::Command { argv: all_owned(argv) },
            Self::CommandWith { argv, appended } => {
                Deed::CommandWith { argv: all_owned(argv), appended }
            }
            Self::ForeignCode => Deed::ForeignCode,
            Self::WorkspaceCode { place } => Deed::WorkspaceCode { place: place.into_owned() },
            Self::Package { ecosystem, name } => {
                Deed::Package { ecosystem, name: name.into_owned() }
            }
            Self::Privilege(name) => Deed::Privilege(Cow::Owned(name.into_owned())),
            Self::Identity(name) => Deed::Identity(name.into_owned()),
            Self::Secret(name) => Deed::Secret(name.into_owned()),
            Self::Infrastructure { provider, verb, resource, name } => Deed::Infrastructure {
                provider,
                verb: Cow::Owned(verb.into_owned()),
                resource: resource.into_owned(),
                name: name.into_owned(),
            },
            Self::Publish { place, name, public } => {
                Deed::Publish { place, name: name.into_owned(), public }
            }
            Self::Message { channel, recipient } => {
                Deed::Message { channel, recipient: recipient.into_owned() }
            }
            Self::Accelerator { kind } => Deed::Accelerator { kind },
            Self::Job { queue, name } => Deed::Job { queue, name: name.into_owned() },
            Self::Environment { name, value } => {
                Deed::Environment { name: name.into_owned(), value: value.into_owned() }
            }
            Self::Forget { name } => Deed::Forget { name: name.into_owned() },
            Self::Opaque { reason, span } => Deed::Opaque { reason, span },
        }
    }
}

fn all_owned(texts: Vec<Text<'_>>) -> Vec<Text<'static>> {
    texts.into_iter().map(Text::into_owned).collect()
}
