//! From what the commands of a line would do to effects in normal form.

use std::borrow::Cow;

use url::Url;

use crate::action::path::{PathError, ResolvedPath};
use crate::action::{
    Action, ChangeIdentity, ChangePrivilege, Connect, Direction, Effect, EffectContext, Effects,
    Facts, InstallPackage, Kind, Listen, Malformed, MutateInfrastructure, Publish, RemoteShell,
    Reversibility, SendMessage, SubmitJob, Target, Transport, Tunnel, TunnelDirection,
    UseAccelerator, UseSecret, exec_effect,
};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Text, Unknown};
use crate::shell::environment::ShellEnv;
use crate::shell::run::name_of;
use crate::shell::state::{Places, join};
use crate::shell::syntax::Span;
use crate::shell::walk::{Plan, Step, What};
use crate::text::glob;

/// An effect, with the place of the command that has it.
pub(crate) type Placed = (Span, Effect);

/// Works out the effects of a plan, in the order of the line; none is there twice.
pub(crate) fn effects(plan: &Plan, env: &ShellEnv, context: &EffectContext<'_>) -> Vec<Placed> {
    let steps = &plan.steps;
    let mut typing = Typing {
        env,
        context,
        created: Vec::new(),
        program: None,
        out: Vec::with_capacity(steps.len()),
        scratch: Effects::default(),
    };
    for step in steps {
        typing.note_created(step);
    }
    for step in steps {
        typing.step(step);
        if plan.splits_names.is_some() && makes_odd_name(step) {
            typing.opaque(step, &Kind::Exec, Reason::ShellCreatedName);
        }
    }
    typing.out
}

/// A name that the line itself brings about: what lies there is not known before it runs.
struct Created {
    path: ResolvedPath,
    since: u32,
    command: u32,
    /// Whether the name itself may be a link, not only what lies below it.
    link: bool,
}

struct Typing<'a> {
    env: &'a ShellEnv,
    context: &'a EffectContext<'a>,
    created: Vec<Created>,
    /// The program that was run last, and its arguments.
    program: Option<(String, Vec<String>)>,
    out: Vec<Placed>,
    scratch: Effects,
}

/// A path, or all that a pattern or a directory holds.
enum Place {
    File(ResolvedPath),
    Tree(ResolvedPath),
    Names { below: ResolvedPath, names: Box<str> },
}

/// Whether a final symbolic link is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    Yes,
    No,
}

impl Typing<'_> {
    fn note_created(&mut self, step: &Step) {
        let What::Deed(deed) = &step.what else { return };
        let (text, link) = match deed {
            Deed::Create { path } => (path, false),
            // Names that are there already are no new ones.
            Deed::Write { path, recursive: true } if path.open.is_empty() => (path, false),
            Deed::Link { link, .. } => (link, true),
            _ => return,
        };
        for place in self.places(&step.places, text, Follow::No).unwrap_or_default() {
            let path = match place {
                Place::File(path) | Place::Tree(path) => path,
                Place::Names { below, .. } => below,
            };
            let (since, command) = (step.since, step.command);
            self.created.push(Created { path, since, command, link });
        }
    }

    /// Whether the line creates what `path` goes through, before `step` or beside it.
    fn is_created(&self, step: &Step, path: &ResolvedPath, kind: &Kind) -> bool {
        self.created.iter().any(|created| {
            let meets = step.command >= created.since && step.command != created.command;
            let rest = path.as_str().strip_prefix(created.path.as_str().trim_end_matches('/'));
            let through = match rest {
                // A link that is deleted is deleted itself.
                Some("") => created.link && *kind != Kind::DeleteData,
                Some(rest) => rest.starts_with('/'),
                None => false,
            };
            meets && through
        })
    }

    fn step(&mut self, step: &Step) {
        match &step.what {
            What::Run { program, arguments } => self.run(step, program, arguments),
            What::Deed(deed) => self.deed(step, deed),
        }
    }

    fn add(&mut self, step: &Step, effect: Effect) {
        if !self.out.iter().any(|(_, known)| *known == effect) {
            self.out.push((step.span, effect));
        }
    }

    fn opaque(&mut self, step: &Step, kind: &Kind, malformed: impl Into<Malformed>) {
        self.scratch.push_opaque(kind, malformed);
        self.collect(step);
    }

    /// Adds the effects of a typed action.
    fn act(&mut self, step: &Step, action: &dyn Action) {
        action.effects(self.context, &mut self.scratch);
        self.collect(step);
    }

    fn collect(&mut self, step: &Step) {
        for effect in self.scratch.take() {
            self.add(step, effect);
        }
    }

    fn run(&mut self, step: &Step, program: &Text<'_>, arguments: &[Text<'_>]) {
        let arguments: Vec<String> = arguments.iter().map(|text| text.text.to_string()).collect();
        self.program = Some((program.text.to_string(), arguments));
        if !program.text.contains('/') || name_of(&program.text).is_some() {
            return self.exec(step, None);
        }
        // A program that lies in the workspace is code of the workspace; of any other nobody knows
        // what it does.
        match self.places(&step.places, program, Follow::Yes) {
            Ok(places) => {
                for place in places {
                    let Place::File(path) = place else { continue };
                    if self.is_created(step, &path, &Kind::Exec) {
                        self.opaque(step, &Kind::Exec, Reason::ShellCreatedName);
                    }
                    let own = is_below(&path, self.context.workspace());
                    let reason = (!own).then_some(Reason::ShellUnknownProgram);
                    self.exec_at(step, path.as_str(), reason);
                }
            }
            Err(reason) => self.opaque(step, &Kind::Exec, reason),
        }
    }

    /// The program that was run last, again where something about it was not understood.
    fn exec(&mut self, step: &Step, reason: Option<Reason>) {
        let Some((program, _)) = &self.program else {
            return self.opaque(step, &Kind::Exec, reason.unwrap_or(Reason::ShellUnknownProgram));
        };
        let program = program.clone();
        self.exec_at(step, &program, reason);
    }

    fn exec_at(&mut self, step: &Step, program: &str, reason: Option<Reason>) {
        let arguments = self.program.as_ref().map_or(&[][..], |(_, arguments)| arguments);
        match exec_effect(self.context, program, arguments, reason) {
            Ok(effect) => self.add(step, effect),
            Err(malformed) => self.opaque(step, &Kind::Exec, malformed),
        }
    }

    fn deed(&mut self, step: &Step, deed: &Deed<'_>) {
        match deed {
            Deed::Read { path, recursive } => self.file(step, &Kind::ReadData, path, *recursive),
            Deed::Write { path, recursive } => self.file(step, &Kind::WriteData, path, *recursive),
            Deed::Delete { path, recursive } => {
                self.file(step, &Kind::DeleteData, path, *recursive);
            }
            Deed::Create { path } => self.file(step, &Kind::WriteData, path, true),
            Deed::Link { target, link, symbolic } => self.link(step, target, link, *symbolic),
            Deed::Url { url, .. } => self.url(step, url),
            Deed::Connect { host, port, udp } => self.connect(step, host, *port, *udp),
            Deed::Service { host, port } => self.act(step, &Connect::new(*host, *port)),
            Deed::Remote { name, .. } => self.remote(step, name),
            Deed::Listen { host, port, udp } => match (host.literal(), port) {
                (Some(host), Some(port)) => {
                    let host = if host.is_empty() { "0.0.0.0" } else { host };
                    let transport = if *udp { Transport::Udp } else { Transport::Tcp };
                    self.act(step, &Listen::new(host, *port).over(transport));
                }
                _ => self.opaque(step, &Kind::Listen, Reason::ShellNetwork),
            },
            Deed::Tunnel { direction, via, exposes } => {
                self.tunnel(step, direction, via, exposes.as_ref());
            }
            Deed::RemoteShell { peer, port } => match (peer.literal(), port) {
                (Some(peer), Some(port)) => {
                    let host = if peer.is_empty() { "0.0.0.0" } else { peer };
                    let program = self.program.as_ref().map_or("sh", |(program, _)| program);
                    self.act(step, &RemoteShell::new(program, Direction::Reverse, host, *port));
                }
                _ => self.opaque(step, &Kind::RemoteShell, Reason::ShellNetwork),
            },
            Deed::ForeignCode => self.exec(step, Some(Reason::ShellForeignCode)),
            Deed::WorkspaceCode { place } => self.workspace_code(step, place),
            Deed::Package { ecosystem, name } => match name.literal() {
                Some(name) => self.act(step, &InstallPackage::new(*ecosystem, name)),
                None => self.opaque(step, &Kind::InstallPackage, Reason::ShellDynamicArgument),
            },
            Deed::Privilege(name) => self.act(step, &ChangePrivilege::new(&**name)),
            Deed::Identity(name) => match name.literal() {
                Some(name) => self.act(step, &ChangeIdentity::new(name)),
                None => self.opaque(step, &Kind::ChangeIdentity, Reason::ShellDynamicArgument),
            },
            Deed::Secret(name) => match name.literal() {
                Some(secret) => {
                    let consumer = self.program.as_ref().map_or("", |(program, _)| program);
                    self.act(step, &UseSecret::new(secret, consumer));
                }
                None => self.opaque(step, &Kind::UseSecret, Reason::ShellDynamicArgument),
            },
            Deed::Infrastructure { provider, verb, resource, name } => {
                match (resource.literal(), name.literal()) {
                    (Some(resource), Some(name)) => self
                        .act(step, &MutateInfrastructure::new(*provider, &**verb, resource, name)),
                    _ => {
                        let reason = Reason::ShellDynamicArgument;
                        self.opaque(step, &Kind::MutateInfrastructure, reason);
                    }
                }
            }
            Deed::Publish { place, name, public } => match name.literal() {
                Some(name) => {
                    let publish = Publish::new(*place, name);
                    let publish = if *public { publish } else { publish.internal() };
                    self.act(step, &publish);
                }
                None => self.opaque(step, &Kind::Publish, Reason::ShellDynamicArgument),
            },
            Deed::Message { channel, recipient } => match recipient.literal() {
                Some(recipient) => self.act(step, &SendMessage::new(*channel, [recipient])),
                None => self.opaque(step, &Kind::SendMessage, Reason::ShellDynamicArgument),
            },
            Deed::Accelerator { kind } => self.act(step, &UseAccelerator::new(*kind, 1)),
            Deed::Job { queue, name } => match name.literal() {
                Some(name) => self.act(step, &SubmitJob::new(*queue, name)),
                None => self.opaque(step, &Kind::SubmitJob, Reason::ShellDynamicArgument),
            },
            Deed::Opaque { reason, .. } => match reason {
                // A program of which the scope grants even what nobody knows.
                Reason::ShellUnknownProgram
                | Reason::ShellUnknownOption
                | Reason::ShellArguments
                | Reason::ShellForeignCode
                | Reason::ShellInnerLanguage
                | Reason::ShellDynamicArgument
                | Reason::ShellAppendedArguments
                | Reason::ShellCodeOnStdin => self.exec(step, Some(*reason)),
                _ => self.opaque(step, &Kind::Exec, *reason),
            },
            // The walk has followed these.
            Deed::ChangeDirectory(_)
            | Deed::Shell { .. }
            | Deed::Command { .. }
            | Deed::CommandWith { .. }
            | Deed::Environment { .. }
            | Deed::Forget { .. } => {
                debug_assert!(false, "the walk leaves no such deed");
                self.opaque(step, &Kind::Exec, Reason::ShellSyntax);
            }
        }
    }

    fn workspace_code(&mut self, step: &Step, place: &Text<'_>) {
        if place.literal().is_some_and(is_stream) {
            return self.exec(step, Some(Reason::ShellCodeOnStdin));
        }
        // What code does with a URL that it is given is to go there.
        let arguments = self.program.as_ref().map_or(&[][..], |(_, arguments)| arguments);
        let urls: Vec<Text<'static>> = arguments
            .iter()
            .filter(|argument| SCHEMES.iter().any(|scheme| argument.starts_with(scheme)))
            .map(|argument| Text::known(argument.clone(), step.span))
            .collect();
        for url in &urls {
            self.url(step, url);
        }
        match self.places(&step.places, place, Follow::Yes) {
            Ok(places) => {
                for place in places {
                    let path = match place {
                        Place::File(path) | Place::Tree(path) => path,
                        Place::Names { below, .. } => below,
                    };
                    if self.is_created(step, &path, &Kind::Exec) {
                        self.opaque(step, &Kind::Exec, Reason::ShellCreatedName);
                    }
                    match exec_effect(self.context, path.as_str(), &[] as &[&str], None) {
                        Ok(effect) => self.add(step, effect),
                        Err(malformed) => self.opaque(step, &Kind::Exec, malformed),
                    }
                }
            }
            Err(reason) => self.opaque(step, &Kind::Exec, reason),
        }
    }

    fn file(&mut self, step: &Step, kind: &Kind, text: &Text<'_>, recursive: bool) {
        if let Some(literal) = text.literal() {
            if is_stream(literal) || (literal == "/dev/null" && *kind != Kind::DeleteData) {
                return;
            }
            // Only a redirection of the shell opens it, and any path may be one.
            if let Some(rest) = literal.strip_prefix("/dev/tcp/") {
                return self.device(step, rest, false);
            }
            if let Some(rest) = literal.strip_prefix("/dev/udp/") {
                return self.device(step, rest, true);
            }
        }
        let follow = if *kind == Kind::DeleteData { Follow::No } else { Follow::Yes };
        match self.places(&step.places, text, follow) {
            Ok(places) => {
                for place in places {
                    self.place(step, kind, place, recursive);
                }
            }
            Err(reason) => self.opaque(step, kind, reason),
        }
    }

    fn place(&mut self, step: &Step, kind: &Kind, place: Place, recursive: bool) {
        // Single files that are found are not the workspace as a whole.
        let whole = match &place {
            Place::File(path) => *path == *self.context.workspace(),
            Place::Names { below, .. } => recursive && *below == *self.context.workspace(),
            Place::Tree(_) => false,
        };
        if let Place::Names { below, names } = &place {
            self.notable(step, kind, below, names);
        }
        let (path, target, recursive) = match place {
            Place::File(path) => (path.clone(), Target::File { path, recursive }, recursive),
            Place::Tree(path) => (path.clone(), Target::File { path, recursive: true }, true),
            Place::Names { below, names } => {
                (below.clone(), Target::Files { below, names, recursive }, true)
            }
        };
        if self.is_created(step, &path, kind) {
            return self.opaque(step, kind, Reason::ShellCreatedName);
        }
        let facts = Facts::new()
            .texts("classes", Vec::new())
            .text("name", path.as_str().to_owned())
            .bool("recursive", recursive);
        // The workspace is a working copy: what is deleted below it comes back from where it came.
        let workspace = self.context.workspace();
        let own = *kind == Kind::DeleteData && is_below(&path, workspace) && !whole;
        let reversibility = own.then_some(Reversibility::Compensable);
        let effect =
            Effect::new(kind.clone(), target).with_facts(facts).with_reversibility(reversibility);
        self.add(step, effect);
    }

    /// Spells out the names of secrets that a pattern with letters of its own can match: policies
    /// speak of names, and `.en?` is one of them in disguise.
    fn notable(&mut self, step: &Step, kind: &Kind, below: &ResolvedPath, names: &str) {
        const NAMES: [&str; 14] = [
            ".env",
            ".git-credentials",
            ".htpasswd",
            ".netrc",
            ".npmrc",
            ".pgpass",
            ".pypirc",
            "authorized_keys",
            "credentials",
            "credentials.json",
            "id_dsa",
            "id_ecdsa",
            "id_ed25519",
            "id_rsa",
        ];
        let (directory, last) = names.rsplit_once('/').unwrap_or(("", names));
        if last.bytes().filter(|byte| *byte != b'*').count() < 2 || directory.contains('*') {
            return;
        }
        for name in NAMES.iter().filter(|name| glob(last.as_bytes(), name.as_bytes(), &mut || ())) {
            let path = format!("{}/{directory}/{name}", below.as_str());
            if let Ok(path) = self.context.resolve(&path) {
                self.place(step, kind, Place::File(path), false);
            }
        }
    }

    fn link(&mut self, step: &Step, target: &Text<'_>, link: &Text<'_>, symbolic: bool) {
        self.file_itself(step, &Kind::WriteData, link);
        let mut from = Cow::Borrowed(target);
        if symbolic && !target.text.starts_with('/') {
            // What a symbolic link says starts at the directory that it lies in.
            let Some((directory, _)) = link.text.rsplit_once('/') else {
                return self.linked(step, &from, symbolic);
            };
            if link.literal().is_none() {
                return self.opaque(step, &Kind::ReadData, Reason::ShellDynamicPath);
            }
            let Some(literal) = target.literal() else {
                return self.opaque(step, &Kind::ReadData, Reason::ShellDynamicPath);
            };
            from = Cow::Owned(Text::known(format!("{directory}/{literal}"), target.span));
        }
        self.linked(step, &from, symbolic);
    }

    fn linked(&mut self, step: &Step, target: &Text<'_>, symbolic: bool) {
        self.file(step, &Kind::ReadData, target, true);
        if !symbolic {
            // Another name of the same file: what is written there later is written here.
            self.file(step, &Kind::WriteData, target, false);
        }
    }

    fn file_itself(&mut self, step: &Step, kind: &Kind, text: &Text<'_>) {
        match self.places(&step.places, text, Follow::No) {
            Ok(places) => {
                for place in places {
                    self.place(step, kind, place, false);
                }
            }
            Err(reason) => self.opaque(step, kind, reason),
        }
    }

    /// `/dev/tcp/host/port`, which bash opens as a connection (manual, "Redirections").
    fn device(&mut self, step: &Step, rest: &str, udp: bool) {
        let parsed =
            rest.split_once('/').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        match parsed {
            Some((host, port)) => {
                let transport = if udp { Transport::Udp } else { Transport::Tcp };
                self.act(step, &Connect::new(host, port).over(transport));
            }
            None => self.opaque(step, &Kind::Connect, Reason::ShellNetwork),
        }
    }

    fn connect(&mut self, step: &Step, host: &Text<'_>, port: Option<u16>, udp: bool) {
        match (host.literal(), port) {
            (Some(host), Some(port)) if host.is_ascii() => {
                let transport = if udp { Transport::Udp } else { Transport::Tcp };
                self.act(step, &Connect::new(host, port).over(transport));
            }
            (Some(host), _) if !host.is_ascii() => {
                self.opaque(step, &Kind::Connect, Reason::ShellInvisibleCharacter);
            }
            _ => self.opaque(step, &Kind::Connect, Reason::ShellNetwork),
        }
    }

    fn remote(&mut self, step: &Step, name: &Text<'_>) {
        let Some(literal) = name.literal() else {
            return self.opaque(step, &Kind::Connect, Reason::ShellNetwork);
        };
        if let Some((host, port)) = self.env.remote(literal) {
            let connect = Connect::new(host, port);
            return self.act(step, &connect);
        }
        if literal.contains("://") {
            return self.url(step, name);
        }
        self.opaque(step, &Kind::Connect, Reason::ShellNetwork);
    }

    fn url(&mut self, step: &Step, text: &Text<'_>) {
        // What is open behind the host changes the path alone.
        let host_is_known = |at: usize| {
            let start = text.text.find("://").map_or(0, |at| at + 3);
            text.text.get(start..at).is_some_and(|known| known.contains(['/', '?', '#']))
        };
        let first = text.open.first().map(|open| open.start as usize);
        if text.many || first.is_some_and(|at| !host_is_known(at)) {
            return self.opaque(step, &Kind::Connect, Reason::ShellNetwork);
        }
        if !text.text.is_ascii() {
            return self.opaque(step, &Kind::Connect, Reason::ShellInvisibleCharacter);
        }
        let spelled = match text.text.contains("://") {
            true => Cow::Borrowed(&*text.text),
            false => Cow::Owned(format!("http://{}", text.text)),
        };
        let Ok(url) = Url::parse(&spelled) else {
            return self.opaque(step, &Kind::Connect, Reason::ActionUrl);
        };
        let port = url.port_or_known_default().or(match url.scheme() {
            "ssh" | "sftp" | "scp" | "git+ssh" => Some(22),
            "git" => Some(9418),
            "ldap" => Some(389),
            "rsync" => Some(873),
            "gopher" => Some(70),
            "telnet" => Some(23),
            "smtp" => Some(25),
            "dict" => Some(2628),
            _ => None,
        });
        match (url.scheme(), url.host_str(), port) {
            ("file", _, _) => {
                let path = Text::known(url.path().to_owned(), text.span);
                self.file(step, &Kind::ReadData, &path, false);
            }
            (_, Some(host), Some(port)) => self.act(step, &Connect::new(host, port)),
            _ => self.opaque(step, &Kind::Connect, Reason::ActionUrl),
        }
    }

    fn tunnel(&mut self, step: &Step, direction: &str, via: &Text<'_>, exposes: Option<&Text<'_>>) {
        let direction = match direction {
            "remote" => TunnelDirection::Reverse,
            "local" => TunnelDirection::Forward,
            _ => TunnelDirection::Dynamic,
        };
        let exposes = match (direction, exposes) {
            (TunnelDirection::Dynamic, _) | (_, None) => Some("*"),
            (_, Some(text)) => text.literal(),
        };
        let via = via.literal().and_then(|via| {
            let (host, port) = via.rsplit_once(':').unwrap_or((via, "22"));
            Some((host, port.parse::<u16>().ok()?))
        });
        match (via, exposes) {
            (Some((host, port)), Some(exposes)) => {
                self.act(step, &Tunnel::new(direction, host, port, exposes));
            }
            _ => {
                self.opaque(step, &Kind::Tunnel, Reason::ShellNetwork);
                self.opaque(step, &Kind::Connect, Reason::ShellNetwork);
            }
        }
    }

    /// Resolves what a text names, from every directory that the shell may stand in.
    fn places(
        &self,
        places: &Places,
        text: &Text<'_>,
        follow: Follow,
    ) -> Result<Vec<Place>, Malformed> {
        if text.text.starts_with('/') {
            return Ok(vec![self.resolve("", text, follow)?]);
        }
        if places.is_empty() {
            return Err(Reason::ShellWorkingDirectory.into());
        }
        places.iter().map(|place| self.resolve(place, text, follow)).collect()
    }

    fn resolve(&self, place: &str, text: &Text<'_>, follow: Follow) -> Result<Place, Malformed> {
        let resolve = |path: &str| -> Result<ResolvedPath, PathError> {
            let path = join(place, path);
            let path = if path.is_empty() { "." } else { &path };
            match follow {
                Follow::Yes => self.context.resolve(path),
                Follow::No => self.context.resolve_nofollow(path),
            }
        };
        let Some(first) = text.open.first() else {
            return Ok(Place::File(if text.text.is_empty() {
                return Err(Reason::PathEmpty.into());
            } else {
                resolve(&text.text)?
            }));
        };
        let known = text.text.get(..first.start as usize).unwrap_or_default();
        if first.what == Unknown::Below {
            // What follows the name of something below may make another name beside it.
            let whole = first.end as usize == text.text.len();
            let inside = known.is_empty() || known == "." || known.ends_with('/');
            let known = if known.is_empty() { "." } else { known };
            return match whole || inside {
                true if text.open.len() == 1 => Ok(Place::Tree(resolve(known)?)),
                _ => Err(Reason::ShellDynamicPath.into()),
            };
        }
        if text.open.iter().any(|open| !matches!(open.what, Unknown::Glob | Unknown::Number)) {
            return Err(Reason::ShellDynamicPath.into());
        }
        let (directory, tail) = match known.rfind('/') {
            Some(at) => known.split_at_checked(at + 1).unwrap_or((known, "")),
            None => ("", known),
        };
        let mut names = String::from(tail);
        for (index, open) in text.open.iter().enumerate() {
            if !names.ends_with('*') {
                names.push('*');
            }
            let next = text.open.get(index + 1).map_or(text.text.len(), |next| next.start as usize);
            names.push_str(text.text.get(open.end as usize..next).unwrap_or_default());
        }
        let mut plain = String::with_capacity(names.len());
        for name in names.split('/').filter(|name| !matches!(*name, "" | ".")) {
            // `*/..` leads out of what a link names; `**` is a pattern of its own in scopes.
            if name == ".." {
                return Err(Reason::ShellDynamicPath.into());
            }
            if !plain.is_empty() {
                plain.push('/');
            }
            plain.push_str(&name.replace("**", "*"));
        }
        let directory = if directory.is_empty() { "." } else { directory };
        Ok(Place::Names { below: resolve(directory)?, names: plain.into() })
    }
}

const SCHEMES: [&str; 6] = ["http://", "https://", "ftp://", "ws://", "wss://", "ssh://"];

/// Whether a step may make a name that is taken for several, or for an option, by a command that
/// takes names apart at blanks.
fn makes_odd_name(step: &Step) -> bool {
    let What::Deed(deed) = &step.what else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./+=:,@%*?~-".contains(c);
    match deed {
        Deed::Create { .. } => true,
        Deed::Write { path, .. } | Deed::Link { link: path, .. } => {
            // What is open are names that are there, and plain.
            let mut known = path.text.to_string();
            for open in path.open.iter().rev() {
                let unknown =
                    !matches!(open.what, Unknown::Glob | Unknown::Below | Unknown::Number);
                let place = open.start as usize..open.end as usize;
                if unknown || known.get(place.clone()).is_none() {
                    return true;
                }
                known.replace_range(place, "x");
            }
            let odd =
                |name: &str| name.starts_with('-') || (name.starts_with("..") && name != "..");
            !known.chars().all(plain) || known.split('/').any(odd)
        }
        _ => false,
    }
}

/// Whether a path names an open stream of the process: opening it again opens nothing new.
fn is_stream(path: &str) -> bool {
    matches!(path, "/dev/stdin" | "/dev/stdout" | "/dev/stderr")
        || path.strip_prefix("/dev/fd/").is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

fn is_below(path: &ResolvedPath, directory: &ResolvedPath) -> bool {
    let rest = path.as_str().strip_prefix(directory.as_str().trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
