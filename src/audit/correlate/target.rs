//! What a call was allowed to touch, and whether something that was seen is that.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::IpAddr;

use super::host_of;
use super::observed::{Access, Class, Connection, Direction, Program, Seen};
use super::read::{at, text};
use crate::action::host::{Endpoint, Host};
use crate::text::{excerpt, glob};
use crate::value::{Limits, View};

/// The target of one effect, out of its opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A program by bare name or by path.
    Program(Box<str>),
    /// A host and port, with an address where the name was resolved.
    Endpoint { endpoint: Endpoint, address: Option<IpAddr> },
    /// A file, or everything below it.
    File { path: Box<str>, recursive: bool },
    /// The files that a pattern matches.
    Files { pattern: Box<str>, recursive: bool },
    /// A tool: `server/name`.
    Tool(Box<str>),
    /// Something that no watcher shows.
    Other(Box<str>),
}

impl Target {
    /// Reads the committed value of an effect (receipt-format §7): its kind and target. Members that
    /// are not known are passed over.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let value = View::parse(value.as_bytes(), &VALUE).ok()?;
        let effect = value.as_object()?;
        let kind = text(effect, &["target", "type"])?;
        let id = at(effect, &["target", "id"])?.as_str()?;
        let flag = |name| {
            let own = at(effect, &["target", name]).or_else(|| at(effect, &["facts", name]));
            matches!(own, Some(View::Bool(true)))
        };
        let address = || {
            let own = text(effect, &["target", "address"])
                .or_else(|| text(effect, &["facts", "address"]));
            own.and_then(host_of).and_then(|host| host.address())
        };
        Some(match kind {
            "Program" => Self::Program(id.into()),
            "Endpoint" => match Endpoint::parse(id) {
                Ok(endpoint) => Self::Endpoint { endpoint, address: address() },
                Err(_) => Self::Other(id.into()),
            },
            // `GET https://host:443/path`
            "Api" => {
                let authority = id.split_once("://").map(|(_, rest)| rest.split('/').next());
                match authority.flatten().map(Endpoint::parse) {
                    Some(Ok(endpoint)) => Self::Endpoint { endpoint, address: address() },
                    _ => Self::Other(id.into()),
                }
            }
            "File" if id.contains('*') => {
                Self::Files { pattern: id.into(), recursive: flag("recursive") }
            }
            "File" => Self::File { path: id.into(), recursive: flag("recursive") },
            "Tool" => Self::Tool(id.into()),
            _ => Self::Other(id.into()),
        })
    }

    fn id(&self) -> String {
        match self {
            Self::Endpoint { endpoint, .. } => endpoint.to_string(),
            Self::Program(id) | Self::Tool(id) | Self::Other(id) => excerpt(id),
            Self::File { path, recursive } | Self::Files { pattern: path, recursive } => {
                excerpt(path) + if *recursive { "/…" } else { "" }
            }
        }
    }
}

/// One effect of a call, as far as it is known.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    pub(super) kind: Box<str>,
    pub(super) target: Option<Target>,
}

/// Whether an effect covers what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    No,
    /// The kind agrees and the target was never opened.
    KindOnly,
    /// A name was allowed and an address was seen, and nothing says whether they are one.
    NotComparable,
    Yes,
}

impl Effect {
    /// Says for people what was allowed.
    pub(super) fn describe(&self) -> String {
        match &self.target {
            Some(target) => format!("{} {}", excerpt(&self.kind), target.id()),
            None => format!("{} of something that was not opened", excerpt(&self.kind)),
        }
    }

    /// The sort of event that the effect shows as, if any.
    pub(super) fn class(&self) -> Option<Class> {
        match &*self.kind {
            "Exec" => Some(Class::Process),
            "Connect" | "Tunnel" | "ApiCall" | "RemoteShell" | "Listen" => Some(Class::Connection),
            "ReadData" | "WriteData" | "DeleteData" | "ExportData" => Some(Class::File),
            "ToolCall" => Some(Class::Tool),
            _ => None,
        }
    }

    /// Compares with what was seen; `programs` are the directories in which a bare name is looked up.
    pub(super) fn covers(&self, seen: &Seen, programs: &[Box<str>]) -> Match {
        let Some(target) = &self.target else {
            let same = self.class().is_some() && self.class() == seen.class();
            return if same { Match::KindOnly } else { Match::No };
        };
        let covered = match (seen, target) {
            (Seen::Process(seen), Target::Program(allowed)) => {
                &*self.kind == "Exec" && is_program(allowed, seen, programs)
            }
            (Seen::Connection(seen), Target::Endpoint { endpoint, address }) => {
                return self.connects(seen, endpoint, *address);
            }
            (Seen::File { path, access }, Target::File { path: allowed, recursive }) => {
                self.uses(*access) && (path == allowed || (*recursive && is_below(path, allowed)))
            }
            (Seen::File { path, access }, Target::Files { pattern, recursive }) => {
                self.uses(*access) && is_among(path, pattern, *recursive)
            }
            (Seen::Tool { name }, Target::Tool(allowed)) => is_tool(allowed, name),
            // An action of the host's own goes by the name of its kind.
            (Seen::Tool { name }, _) => *name == self.kind,
            _ => false,
        };
        if covered { Match::Yes } else { Match::No }
    }

    fn connects(&self, seen: &Connection, endpoint: &Endpoint, address: Option<IpAddr>) -> Match {
        let listens = &*self.kind == "Listen";
        if listens != (seen.direction == Direction::In)
            || seen.port.is_some_and(|port| port != endpoint.port())
        {
            return Match::No;
        }
        if listens {
            // Which of its addresses a port listens at, sources say in different ways.
            return if seen.port.is_some() { Match::Yes } else { Match::No };
        }
        // A port that nobody saw cannot be compared either.
        let yes = if seen.port.is_some() { Match::Yes } else { Match::NotComparable };
        let allowed = address.or_else(|| endpoint.host().address());
        let seen_address = seen.address.as_ref().and_then(Host::address);
        match (allowed, seen_address) {
            // Where both addresses are known, a name changes nothing.
            (Some(allowed), Some(seen)) => {
                if allowed == seen {
                    yes
                } else {
                    Match::No
                }
            }
            _ if seen.name.as_ref() == Some(endpoint.host()) => yes,
            (None, Some(_)) if seen.name.is_none() => Match::NotComparable,
            (Some(_), None) if seen.name.is_some() && endpoint.host().as_name().is_none() => {
                Match::NotComparable
            }
            _ => Match::No,
        }
    }

    fn uses(&self, access: Access) -> bool {
        match &*self.kind {
            "ReadData" | "ExportData" => access == Access::Read,
            "WriteData" => access == Access::Write,
            "DeleteData" => access == Access::Delete,
            _ => false,
        }
    }

    /// The places of the index under which the effect is found.
    pub(super) fn keys(&self, add: &mut impl FnMut(u64)) {
        if &*self.kind == "Exec" {
            add(Key::AnyProgram.hash());
        }
        match &self.target {
            Some(Target::Program(id)) => add(Key::Program(base_name(id)).hash()),
            Some(Target::Endpoint { endpoint, .. }) if &*self.kind == "Listen" => {
                add(Key::Listen(endpoint.port()).hash());
            }
            Some(Target::Endpoint { endpoint, address }) => {
                add(Key::Host(endpoint.host()).hash());
                match address {
                    Some(address) => add(Key::Host(&Host::from(*address)).hash()),
                    None if endpoint.host().as_name().is_some() => {
                        add(Key::Named(endpoint.port()).hash());
                    }
                    None => {}
                }
            }
            Some(Target::File { path, recursive }) => {
                add(Key::File(path).hash());
                if *recursive {
                    add(Key::Tree(path).hash());
                }
            }
            Some(Target::Files { pattern, .. }) => {
                let fixed = pattern.split('*').next().unwrap_or_default();
                let directory = fixed.rsplit_once('/').map_or("", |(directory, _)| directory);
                add(Key::Tree(directory).hash());
            }
            Some(Target::Tool(id)) => {
                // The name may hold slashes itself.
                for (at, _) in id.match_indices('/').take(8) {
                    add(Key::Tool(id.get(at + 1..).unwrap_or_default()).hash());
                }
                add(Key::Tool(id).hash());
            }
            Some(Target::Other(_)) => add(Key::Tool(&self.kind).hash()),
            None => {
                if let Some(class) = self.class() {
                    add(Key::Unopened(class).hash());
                }
            }
        }
    }
}

/// The places of the index under which an effect that covers `seen` is found.
pub(super) fn lookups(seen: &Seen, with_trees: bool, add: &mut impl FnMut(u64)) {
    match seen {
        Seen::Process(program) => add(Key::Program(&program.name).hash()),
        Seen::Connection(connection) => {
            if connection.direction == Direction::In {
                if let Some(port) = connection.port {
                    add(Key::Listen(port).hash());
                }
            } else {
                for host in [&connection.address, &connection.name].into_iter().flatten() {
                    add(Key::Host(host).hash());
                }
                if let (Some(port), None) = (connection.port, &connection.name) {
                    add(Key::Named(port).hash());
                }
            }
        }
        Seen::File { path, .. } => {
            add(Key::File(path).hash());
            if with_trees {
                add(Key::Tree(path).hash());
                let mut above = &**path;
                // A path has at most 256 components; the root's own tree is the empty text.
                while let Some((parent, _)) = above.rsplit_once('/') {
                    add(Key::Tree(if parent.is_empty() { "/" } else { parent }).hash());
                    above = parent;
                }
                add(Key::Tree("").hash());
            }
        }
        Seen::Tool { name } => add(Key::Tool(name).hash()),
        Seen::Other => {}
    }
    if let Some(class) = seen.class() {
        add(Key::Unopened(class).hash());
    }
}

/// One place of the index. What is found there is compared again, so that places that fall together
/// cost time and nothing else.
#[derive(Hash)]
pub(super) enum Key<'a> {
    Program(&'a str),
    AnyProgram,
    Host(&'a Host),
    /// A port of a name whose address nobody wrote down.
    Named(u16),
    Listen(u16),
    File(&'a str),
    Tree(&'a str),
    Tool(&'a str),
    Unopened(Class),
}

impl Key<'_> {
    pub(super) fn hash(&self) -> u64 {
        // Without a random key: the order of findings must not differ from run to run.
        let mut hasher = DefaultHasher::new();
        Hash::hash(self, &mut hasher);
        hasher.finish()
    }
}

/// Whether the program that was seen is the one that was allowed.
pub(super) fn is_program(allowed: &str, seen: &Program, directories: &[Box<str>]) -> bool {
    if allowed.contains('/') {
        return match &seen.path {
            Some(path) => **path == *allowed,
            None => *seen.name == *base_name(allowed),
        };
    }
    if *seen.name != *allowed {
        return false;
    }
    // A bare name was looked up in `PATH`: a file of that name anywhere else is another program.
    seen.path
        .as_deref()
        .and_then(|path| path.rsplit_once('/'))
        .is_none_or(|(directory, _)| directories.iter().any(|known| **known == *directory))
}

fn is_tool(allowed: &str, name: &str) -> bool {
    allowed == name || allowed.strip_suffix(name).is_some_and(|server| server.ends_with('/'))
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn is_below(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Matches segment by segment; a recursive pattern covers what lies below a match.
fn is_among(path: &str, pattern: &str, recursive: bool) -> bool {
    let mut names = path.split('/');
    for pattern in pattern.split('/') {
        let Some(name) = names.next() else { return false };
        if !glob(pattern.as_bytes(), name.as_bytes(), &mut || ()) {
            return false;
        }
    }
    recursive || names.next().is_none()
}

/// What an opening may hold; it has passed its own limit before.
const VALUE: Limits = Limits { max_bytes: 1 << 20, max_depth: 32, max_nodes: 65_536 };

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(kind: &str, target: &str, id: &str, facts: &str) -> Effect {
        let value = format!(
            r#"{{"facts":{{{facts}}},"kind":"{kind}","later":1,"target":{{"id":"{id}","type":"{target}"}}}}"#
        );
        Effect { kind: kind.into(), target: Target::parse(&value) }
    }

    #[track_caller]
    fn check(effect: &Effect, seen: &Seen, expected: Match) {
        let directories: Vec<Box<str>> = vec!["/usr/bin".into()];
        assert_eq!(effect.covers(seen, &directories), expected, "{effect:?} {seen:?}");
        if matches!(expected, Match::Yes | Match::NotComparable) {
            let (mut keys, mut places) = (Vec::new(), Vec::new());
            effect.keys(&mut |key| keys.push(key));
            lookups(seen, true, &mut |key| places.push(key));
            assert!(keys.iter().any(|key| places.contains(key)), "not found by the index");
        }
    }

    #[test]
    fn programs_are_compared_by_path_or_by_name_in_a_known_directory() {
        let bare = effect("Exec", "Program", "git", "");
        check(&bare, &Seen::process("/usr/bin/git"), Match::Yes);
        check(&bare, &Seen::process("git"), Match::Yes);
        check(&bare, &Seen::process("/tmp/git"), Match::No);
        check(&bare, &Seen::process("/usr/bin/curl"), Match::No);
        let path = effect("Exec", "Program", "/opt/tool", "");
        check(&path, &Seen::process("/opt/tool"), Match::Yes);
        check(&path, &Seen::process("/usr/bin/tool"), Match::No);
        check(&path, &Seen::process("tool"), Match::Yes);
        check(&bare, &Seen::connection("git", Some(1)), Match::No);
    }

    #[test]
    fn connections_are_compared_by_address_before_name() {
        let address = effect("Connect", "Endpoint", "203.0.113.9:443", "");
        check(&address, &Seen::connection("203.0.113.9", Some(443)), Match::Yes);
        check(&address, &Seen::connection("::ffff:203.0.113.9", Some(443)), Match::Yes);
        check(&address, &Seen::connection("203.0.113.9", Some(444)), Match::No);
        check(&address, &Seen::connection("203.0.113.8", Some(443)), Match::No);
        check(&address, &Seen::connection("203.0.113.9", None), Match::NotComparable);
        let name = effect("Connect", "Endpoint", "git.example.org:443", "");
        check(&name, &Seen::connection("GIT.example.org", Some(443)), Match::Yes);
        check(&name, &Seen::connection("203.0.113.9", Some(443)), Match::NotComparable);
        check(&name, &Seen::connection("203.0.113.9", Some(80)), Match::No);
        check(&name, &Seen::connection("evil.example.org", Some(443)), Match::No);
        let both =
            effect("Connect", "Endpoint", "git.example.org:443", r#""address":"203.0.113.9""#);
        check(&both, &Seen::connection("203.0.113.9", Some(443)), Match::Yes);
        check(&both, &Seen::connection("203.0.113.8", Some(443)), Match::No);
        // A watcher believed a name: its address says otherwise.
        let mut lied = Seen::connection("git.example.org", Some(443));
        if let Seen::Connection(connection) = &mut lied {
            connection.address = host_of("203.0.113.8");
        }
        check(&both, &lied, Match::No);
        let api = effect("ApiCall", "Api", "GET https://api.example.org:443/v1", "");
        check(&api, &Seen::connection("api.example.org", Some(443)), Match::Yes);
    }

    #[test]
    fn files_are_compared_by_path_tree_and_pattern() {
        let file = effect("ReadData", "File", "/srv/web/a", "");
        check(&file, &Seen::file("/srv/web/./a", Access::Read), Match::Yes);
        check(&file, &Seen::file("/srv/web/a", Access::Write), Match::No);
        check(&file, &Seen::file("/srv/web/a/b", Access::Read), Match::No);
        let tree = effect("WriteData", "File", "/srv/web", r#""recursive":true"#);
        check(&tree, &Seen::file("/srv/web/x/y", Access::Write), Match::Yes);
        check(&tree, &Seen::file("/srv/web", Access::Write), Match::Yes);
        check(&tree, &Seen::file("/srv/website", Access::Write), Match::No);
        let root = effect("ReadData", "File", "/", r#""recursive":true"#);
        check(&root, &Seen::file("/etc/x", Access::Read), Match::Yes);
        let pattern = effect("DeleteData", "File", "/srv/*/a*.rs", "");
        check(&pattern, &Seen::file("/srv/web/ab.rs", Access::Delete), Match::Yes);
        check(&pattern, &Seen::file("/srv/web/x/ab.rs", Access::Delete), Match::No);
        check(&pattern, &Seen::file("/srv/ab.rs", Access::Delete), Match::No);
        let top = effect("ReadData", "File", "/*", "");
        check(&top, &Seen::file("/x", Access::Read), Match::Yes);
    }

    #[test]
    fn tools_are_compared_with_or_without_their_server() {
        let tool = effect("ToolCall", "Tool", "github/issues/create", "");
        check(&tool, &Seen::tool("issues/create"), Match::Yes);
        check(&tool, &Seen::tool("github/issues/create"), Match::Yes);
        check(&tool, &Seen::tool("create"), Match::Yes);
        check(&tool, &Seen::tool("eate"), Match::No);
        let own = effect("DeployService", "Resource", "web", "");
        check(&own, &Seen::tool("DeployService"), Match::Yes);
    }

    #[test]
    fn what_was_not_opened_agrees_by_kind_alone() {
        let closed = Effect { kind: "Exec".into(), target: None };
        check(&closed, &Seen::process("/usr/bin/ls"), Match::KindOnly);
        check(&closed, &Seen::connection("203.0.113.9", Some(1)), Match::No);
    }
}
