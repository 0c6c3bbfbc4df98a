//! From what the commands of a line would do to effects in normal form.

use std::borrow::Cow;

use url::Url;

use crate::action::path::{LastLink, PathError, ResolvedPath};
use crate::action::{
    Action, ChangeIdentity, ChangePrivilege, Connect, Direction, Effect, EffectContext, Effects,
    Fact, Facts, InstallPackage, Kind, Listen, Malformed, MutateInfrastructure, Publish,
    RemoteShell, Reversibility, SendMessage, SharedText, SubmitJob, Target, TextList, TextSet,
    Transport, Tunnel, TunnelDirection, UseAccelerator, UseSecret, exec_effect,
};
use crate::reason::Reason;
use crate::shell::created::{Created, Reach};
use crate::shell::deed::{Deed, Open, Text, Unknown};
use crate::shell::environment::ShellEnv;
use crate::shell::few::Few;
use crate::shell::names::{
    REPLACERS, SCHEMES, exposed, finds_dots, is_below, is_stream, makes_odd_name,
};
use crate::shell::placed::Placed;
use crate::shell::run::name_of;
use crate::shell::state::{FEW_BYTES, Places, join_into};
use crate::shell::walk::{Plan, Step, What};
use crate::text::glob;

/// Works out the effects of a plan, in the order of the line; none is there twice. Paths are
/// resolved in `buffer`.
pub(crate) fn effects(
    plan: &Plan,
    env: &ShellEnv,
    context: &EffectContext<'_>,
    buffer: String,
) -> Placed {
    let steps = &plan.steps;
    let mut typing = Typing {
        env,
        context,
        created: Created::default(),
        roots: env.roots().iter().filter_map(|root| context.resolve(root).ok()).collect(),
        program: None,
        peer: None,
        running: 0,
        out: Placed::with_capacity(steps.len()),
        path: String::new(),
        resolved: buffer,
        scratch: Effects::default(),
    };
    for step in steps {
        typing.note_created(step);
    }
    typing.created.sort();
    (typing.program, typing.running) = (None, 0);
    for step in steps {
        typing.step(step);
        if plan.splits_names.is_some() && makes_odd_name(step) {
            typing.opaque(step, &Kind::Exec, Reason::ShellCreatedName);
        }
    }
    typing.out
}

struct Typing<'a> {
    env: &'a ShellEnv,
    context: &'a EffectContext<'a>,
    created: Created,
    /// What belongs to the task besides the workspace.
    roots: Vec<ResolvedPath>,
    /// The program that was run last, and its arguments.
    program: Option<(&'a SharedText, &'a TextList)>,
    /// The host and port that were connected to last.
    peer: Option<(String, u16)>,
    /// The command that it belongs to.
    running: u32,
    out: Placed,
    /// Room for the path that is resolved, and for what it resolves to.
    path: String,
    resolved: String,
    scratch: Effects,
}

/// A path, or all that a pattern or a directory holds.
enum Place {
    File(ResolvedPath),
    Tree(ResolvedPath),
    Names { below: ResolvedPath, names: Box<str> },
}

impl<'a> Typing<'a> {
    /// Whether the deed is one of a program called one of `names`, not of a redirection.
    fn is_run_by(&self, step: &Step, names: &[&str]) -> bool {
        self.running == step.command
            && self
                .program
                .is_some_and(|(program, _)| names.contains(&name_of(program).unwrap_or(program)))
    }

    /// Whether the program is one that makes links where it finds links.
    fn copies_links(&self, step: &Step) -> bool {
        let keeps = |argument: &str| match argument.strip_prefix("--") {
            Some(long) => ["no-deref", "preserve", "archive", "recursive", "link", "symbolic"]
                .iter()
                .any(|start| long.starts_with(start)),
            None => {
                argument.starts_with('-') && argument.contains(['P', 'd', 'a', 'R', 'r', 'l', 's'])
            }
        };
        self.is_run_by(step, &["mv"])
            || (self.is_run_by(step, &["cp", "rsync", "install"])
                && self.program.is_some_and(|(_, arguments)| arguments.iter().any(keeps)))
    }

    fn note_created(&mut self, step: &'a Step) {
        let deed = match &step.what {
            What::Deed(deed) => deed,
            What::Run { program, arguments, .. } => {
                return self.note_program(step, program, arguments);
            }
            What::Names { .. } => return,
        };
        let (text, link) = match deed {
            Deed::Create { path } | Deed::Tracked { path, delete: false } => (path, false),
            // Names that are there already are no new ones.
            Deed::Write { path, recursive: true } if path.open.is_empty() => (path, false),
            Deed::Link { link, .. } => (link, true),
            Deed::Write { path, .. } if self.copies_links(step) => (path, true),
            _ => return,
        };
        for place in self.places(&step.places, text, LastLink::Keep).unwrap_or_default() {
            let path = match place {
                Place::File(path) | Place::Tree(path) => path,
                Place::Names { below, .. } => below,
            };
            self.created.note(step, path, link);
        }
    }

    fn step(&mut self, step: &'a Step) {
        match &step.what {
            What::Run { program, open, arguments } => self.run(step, program, open, arguments),
            What::Deed(deed) => self.deed(step, deed),
            What::Names { place } => self.plain_names(step, place),
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
        let mut scratch = std::mem::take(&mut self.scratch);
        for effect in scratch.drain() {
            self.out.add(step.span, effect);
        }
        self.scratch = scratch;
    }

    fn note_program(&mut self, step: &Step, program: &'a SharedText, arguments: &'a TextList) {
        self.program = Some((program, arguments));
        self.running = step.command;
    }

    fn run(
        &mut self,
        step: &Step,
        program: &'a SharedText,
        open: &[Open],
        arguments: &'a TextList,
    ) {
        self.note_program(step, program, arguments);
        if !program.contains('/') || name_of(program).is_some() {
            return self.exec(step, None);
        }
        // A program that lies in the workspace is code of the workspace; of any other nobody knows
        // what it does.
        let text = Text { open: open.to_vec(), ..Text::known(program.as_str(), step.span) };
        match self.places(&step.places, &text, LastLink::Follow) {
            Ok(places) => {
                for place in places {
                    let Place::File(path) = place else { continue };
                    if self.created.lies_on(&path, step, Reach::Through) {
                        self.opaque(step, &Kind::Exec, Reason::ShellCreatedName);
                    }
                    let own = is_below(&path, self.context.workspace());
                    let reason = (!own).then_some(Reason::ShellUnknownProgram);
                    self.exec_at(step, &SharedText::from(&path), reason);
                }
            }
            Err(reason) => self.opaque(step, &Kind::Exec, reason),
        }
    }

    /// Whether a path lies in the workspace or below another directory of the task.
    fn is_own(&self, path: &ResolvedPath) -> bool {
        is_below(path, self.context.workspace())
            || self.roots.iter().any(|root| is_below(path, root))
    }

    /// Whether a path is the workspace or another directory of the task, as a whole.
    fn is_root(&self, path: &ResolvedPath) -> bool {
        path == self.context.workspace() || self.roots.contains(path)
    }

    /// Names are plain below the workspace, and nowhere else.
    fn plain_names(&mut self, step: &Step, place: &Text<'_>) {
        let below = self.places(&step.places, place, LastLink::Follow).is_ok_and(|places| {
            places.iter().all(|place| match place {
                Place::File(path) | Place::Tree(path) => self.is_own(path),
                Place::Names { below, .. } => self.is_own(below),
            })
        });
        if !below {
            self.opaque(step, &Kind::Exec, Reason::ShellDynamicPath);
        }
    }

    /// The program that was run last, again where something about it was not understood.
    fn exec(&mut self, step: &Step, reason: Option<Reason>) {
        let Some((program, _)) = self.program else {
            return self.opaque(step, &Kind::Exec, reason.unwrap_or(Reason::ShellUnknownProgram));
        };
        self.exec_at(step, program, reason);
    }

    fn exec_at(&mut self, step: &Step, program: &SharedText, reason: Option<Reason>) {
        let none = TextList::default();
        let arguments = self.program.map_or(&none, |(_, arguments)| arguments);
        match exec_effect(self.context, program, arguments, reason) {
            Ok(effect) => self.out.add(step.span, effect),
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
            Deed::Tracked { path, delete } => {
                let kind = if *delete { Kind::DeleteData } else { Kind::WriteData };
                self.tracked(step, &kind, path);
            }
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
                    let program = self.program.map_or("sh", |(program, _)| program.as_str());
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
                    let consumer = self.program.map_or("", |(program, _)| program.as_str());
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
        // `oci://host/x`: it lies with somebody that the line may not even name.
        let elsewhere = |scheme: &str| place.text.starts_with(scheme);
        if place.text.contains("://") && !SCHEMES.iter().copied().any(elsewhere) {
            self.opaque(step, &Kind::Connect, Reason::ShellNetwork);
        }
        // What code does with a URL that it is given is to go there.
        let arguments = self.program.into_iter().flat_map(|(_, arguments)| arguments.iter());
        for argument in arguments {
            if SCHEMES.iter().any(|scheme| argument.starts_with(scheme)) {
                self.url(step, &Text::known(argument, step.span));
            }
        }
        match self.places(&step.places, place, LastLink::Follow) {
            Ok(places) => {
                for place in places {
                    let path = match place {
                        Place::File(path) | Place::Tree(path) => path,
                        Place::Names { below, .. } => below,
                    };
                    if self.created.lies_on(&path, step, Reach::Through) {
                        self.opaque(step, &Kind::Exec, Reason::ShellCreatedName);
                    }
                    match exec_effect(self.context, &(&path).into(), &TextList::default(), None) {
                        Ok(effect) => self.out.add(step.span, effect),
                        Err(malformed) => self.opaque(step, &Kind::Exec, malformed),
                    }
                }
            }
            Err(reason) => self.opaque(step, &Kind::Exec, reason),
        }
    }

    fn file(&mut self, step: &Step, kind: &Kind, text: &Text<'_>, recursive: bool) {
        if let Some(literal) = text.literal() {
            let used = matches!(kind, Kind::ReadData | Kind::WriteData);
            let opened = used && !self.is_run_by(step, &REPLACERS);
            if opened && (is_stream(literal) || literal == "/dev/null") {
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
        let last = if *kind == Kind::DeleteData { LastLink::Keep } else { LastLink::Follow };
        match self.places(&step.places, text, last) {
            Ok(places) => {
                let slashed = text.text.ends_with('/');
                for place in places {
                    // What is left out matters where something is written.
                    let place = match place {
                        Place::Names { below, names }
                            if names.is_empty() && *kind != Kind::WriteData =>
                        {
                            Place::Tree(below)
                        }
                        place => place,
                    };
                    self.place(step, kind, place, recursive, slashed);
                }
            }
            Err(reason) => self.opaque(step, kind, reason),
        }
    }

    fn place(&mut self, step: &Step, kind: &Kind, place: Place, recursive: bool, slashed: bool) {
        // Single files that are found are not the workspace as a whole.
        let whole = match &place {
            Place::File(path) => self.is_root(path),
            Place::Names { below, names } => {
                let all = matches!(&**names, "" | "*");
                all && recursive && self.is_root(below)
            }
            Place::Tree(_) => false,
        };
        // A link that is deleted is deleted itself, unless a slash behind it leads through it.
        let reach = match &place {
            Place::File(_) if *kind == Kind::DeleteData && !slashed => Reach::Itself,
            Place::File(_) | Place::Tree(_) => Reach::Through,
            Place::Names { .. } => Reach::Names,
        };
        if let Place::Names { below, names } = &place {
            self.notable(step, kind, below, names);
        }
        let (path, target, recursive) = match place {
            Place::File(path) => (path.clone(), Target::File { path, recursive }, recursive),
            Place::Tree(path) => (path.clone(), Target::File { path, recursive: true }, true),
            Place::Names { below, names } => {
                let tracked = names.is_empty();
                let names = if tracked { "*".into() } else { names };
                let recursive = recursive || tracked;
                (below.clone(), Target::Files { below, names, recursive, tracked }, true)
            }
        };
        if self.created.lies_on(&path, step, reach) {
            return self.opaque(step, kind, Reason::ShellCreatedName);
        }
        let facts = Facts::sorted([
            ("classes", Fact::TextSet(TextSet::default())),
            ("name", Fact::Text((&path).into())),
            ("recursive", Fact::Bool(recursive)),
        ]);
        // The workspace is a working copy: what is deleted below it comes back from where it came, and
        // its history does not.
        let history = || path.as_str().split('/').any(|name| name == ".git");
        let own = *kind == Kind::DeleteData && self.is_own(&path) && !whole && !history();
        let reversibility = own.then_some(Reversibility::Compensable);
        let effect =
            Effect::new(kind.clone(), target).with_facts(facts).with_reversibility(reversibility);
        self.out.add(step.span, effect);
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
                self.place(step, kind, Place::File(path), false, false);
            }
        }
    }

    /// Files that a repository tracks: git refuses to track anything that is called `.git`.
    fn tracked(&mut self, step: &Step, kind: &Kind, path: &Text<'_>) {
        match self.places(&step.places, path, LastLink::Follow) {
            Ok(places) => {
                for place in places {
                    let below = match place {
                        Place::File(path) | Place::Tree(path) => path,
                        Place::Names { below, .. } => below,
                    };
                    // The repository may begin above the directory that the shell stands in.
                    let workspace = self.context.workspace();
                    let below = match is_below(&below, workspace) && path.text == "." {
                        true => workspace.clone(),
                        false => below,
                    };
                    self.place(step, kind, Place::Names { below, names: "".into() }, true, false);
                }
            }
            Err(reason) => self.opaque(step, kind, reason),
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
        match self.places(&step.places, text, LastLink::Keep) {
            Ok(places) => {
                for place in places {
                    self.place(step, kind, place, false, false);
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
                self.peer = Some((host.to_owned(), port));
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
        // Clients disagree about which part of these is the host.
        let authority = text.text.split_once("://").map_or(&*text.text, |(_, rest)| rest);
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        if text.text.contains(['\\', ' ', '\t', '\n']) || authority.contains(['@', '{', '[', '%']) {
            return self.opaque(step, &Kind::Connect, Reason::ActionUrl);
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
            (TunnelDirection::Dynamic, _) | (_, None) => Some("*".to_owned()),
            (_, Some(text)) => text.literal().and_then(exposed),
        };
        // The port is that of the connection which carries it.
        let port =
            self.peer.as_ref().filter(|(host, _)| *host == via.text).map_or(22, |peer| peer.1);
        let via = via.literal().map(|host| (host, port));
        match (via, exposes) {
            (Some((host, port)), Some(exposes)) => {
                let direction = if exposes == "*" { TunnelDirection::Dynamic } else { direction };
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
        &mut self,
        places: &Places,
        text: &Text<'_>,
        last: LastLink,
    ) -> Result<Few<Place>, Malformed> {
        let mut all = Few::new();
        if text.text.starts_with('/') && text.open.first().is_none_or(|open| open.start > 0) {
            self.resolve("", text, last, &mut all)?;
            return Ok(all);
        }
        if places.is_empty() {
            return Err(Reason::ShellWorkingDirectory.into());
        }
        for place in places.iter() {
            self.resolve(place, text, last, &mut all)?;
        }
        Ok(all)
    }

    fn resolve(
        &mut self,
        place: &str,
        text: &Text<'_>,
        last: LastLink,
        out: &mut Few<Place>,
    ) -> Result<(), Malformed> {
        let mut resolve = |path: &str| -> Result<ResolvedPath, PathError> {
            self.path.clear();
            self.path.reserve(FEW_BYTES);
            join_into(&mut self.path, place, path);
            let path = if self.path.is_empty() { "." } else { &self.path };
            self.context.resolve_in(&mut self.resolved, path, last)
        };
        let unknown = Malformed::from(Reason::ShellDynamicPath);
        let Some(first) = text.open.first() else {
            if text.text.is_empty() {
                return Err(Reason::PathEmpty.into());
            }
            out.push(Place::File(resolve(&text.text)?));
            return Ok(());
        };
        let known = text.text.get(..first.start as usize).unwrap_or_default();
        if first.what.is_below() {
            let tail = text.text.get(first.end as usize..).unwrap_or_default();
            if text.open.len() != 1 {
                return Err(unknown);
            }
            let written = text.text.get(first.start as usize..first.end as usize);
            let slashed = written.is_some_and(|written| written.starts_with('/'));
            // What stands in this directory may be anything but nothing; behind a name it is another.
            let glued = known.is_empty() || known.ends_with('/') || slashed;
            let named = written.is_some_and(|written| written.starts_with("{}"));
            if !tail.is_empty() {
                let dots = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte == b'.');
                let inside = slashed && !known.is_empty() && !tail.split('/').any(dots);
                if !inside {
                    return Err(unknown);
                }
                if !tail.starts_with('/') {
                    // The place itself is one of those below it, and this stands beside it.
                    out.push(Place::File(resolve(&format!("{known}{tail}"))?));
                }
            } else if !(glued || named) {
                return Err(unknown);
            }
            let below = resolve(if known.is_empty() { "." } else { known })?;
            // Behind the names stands what could make another of one.
            out.push(match first.what {
                Unknown::Tracked if tail.is_empty() => Place::Names { below, names: "".into() },
                _ => Place::Tree(below),
            });
            return Ok(());
        }
        let short = |what: Unknown| matches!(what, Unknown::Number | Unknown::Word);
        let named = |what: Unknown| matches!(what, Unknown::Glob | Unknown::Name) || short(what);
        // Nothing in front of a slash is the root.
        let rooted = first.start == 0
            && short(first.what)
            && text.text.get(first.end as usize..).is_some_and(|tail| tail.starts_with('/'));
        if rooted || !text.open.iter().all(|open| named(open.what)) {
            return Err(unknown);
        }
        if finds_dots(text) {
            return Err(unknown);
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
            // `*/..` leads out of what a link names.
            if name == ".." {
                return Err(unknown);
            }
            if !plain.is_empty() {
                plain.push('/');
            }
            plain.push_str(&name.replace("**", "*"));
        }
        let directory = if directory.is_empty() { "." } else { directory };
        out.push(Place::Names { below: resolve(directory)?, names: plain.into() });
        Ok(())
    }
}
