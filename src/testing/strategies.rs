//! Proptest strategies for property tests of policies, scopes and guards.
//!
//! They give what a hostile model would write: text that looks like what a scope grants and is not.
//! Whatever comes out of them, an action built of it is decided and never panics, and what is allowed
//! lies inside the scope.
//!
//! # Examples
//!
//! ```
//! use countersign::testing::{Fixture, strategies};
//! use proptest::test_runner::{Config, TestRunner};
//!
//! let fixture = Fixture::default();
//! let session = fixture.session();
//! let mut runner = TestRunner::new(Config::with_cases(20));
//! runner.run(&strategies::any_action(), |action| {
//!     // Decided and on record, whatever it is.
//!     let decision = session.authorize(action).expect("the sink stores");
//!     assert!(decision.is_allow() || !decision.reasons().is_empty());
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::action::{
    Action, ApiCall, ChangeIdentity, ChangePrivilege, Connect, DataRef, DeleteData, Direction,
    EffectContext, Effects, Exec, ExportData, InstallPackage, InvokeModel, Listen,
    MutateInfrastructure, Pay, Publish, ReadData, RecallMemory, RemoteShell, SendMessage,
    SpawnAgent, StartTraining, SubmitJob, ToolCall, TriggerWorkflow, Tunnel, TunnelDirection,
    UseAccelerator, UseSecret, WriteData, WriteMemory,
};
use crate::value::{Decimal, Object, Value};

/// Gives text that stands where a host is expected: addresses in odd spellings, metadata services,
/// names with hidden or look-alike characters, and plain ones among them.
pub fn hostile_hosts() -> impl Strategy<Value = String> {
    let address = prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from),
        select(&[[169, 254, 169, 254], [127, 0, 0, 1], [10, 0, 8, 7], [100, 100, 100, 200]][..])
            .prop_map(Ipv4Addr::from),
    ];
    let spelled = (address, 0..8_u8).prop_map(|(address, spelling)| spell(address, spelling));
    let name = select(HOSTS).prop_map(str::to_owned);
    let seeds = prop_oneof![3 => spelled, 3 => name, 1 => any::<u128>().prop_map(spell_ipv6)];
    (seeds, prop::collection::vec(mutation(), 0..3)).prop_map(apply_all)
}

/// Gives text that stands where a path is expected: traversals in several encodings, places outside
/// of `/srv/web`, and plain ones inside it.
pub fn hostile_paths() -> impl Strategy<Value = String> {
    let piece = select(PATH_PIECES).prop_map(str::to_owned);
    let path = prop::collection::vec(prop_oneof![4 => piece, 1 => "[a-z.]{1,8}"], 0..8);
    let joined = (path, select(&["", "/", "/srv/web/", "/srv/web", "/proc/self/", "//"][..]))
        .prop_map(|(pieces, root)| format!("{root}{}", pieces.join("/")));
    (joined, prop::collection::vec(mutation(), 0..3)).prop_map(apply_all)
}

/// Gives text that stands where a name is expected: of a tool, a table, a package, a recipient.
pub fn hostile_names() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => select(NAMES).prop_map(str::to_owned),
        2 => "[a-z]{1,8}([./:@-][a-z]{1,8}){0,3}",
        1 => "\\PC{0,12}",
        1 => any::<String>(),
    ];
    (name, prop::collection::vec(mutation(), 0..3)).prop_map(apply_all)
}

/// Gives the arguments of a tool call: an object with names and values of all kinds, nested at most
/// `depth` deep.
pub fn json_arguments(depth: u32) -> impl Strategy<Value = Value> {
    let members = prop::collection::vec((argument_names(), json_values(depth)), 0..6);
    members.prop_map(|members| Value::Object(members.into_iter().collect::<Object>()))
}

/// Gives any JSON value, nested at most `depth` deep.
pub fn json_values(depth: u32) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => decimals().prop_map(Value::from),
        4 => hostile_names().prop_map(Value::from),
        1 => hostile_paths().prop_map(Value::from),
        1 => hostile_hosts().prop_map(Value::from),
    ];
    leaf.prop_recursive(depth, 64, 6, |inner| {
        let members = prop::collection::vec((argument_names(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::Array),
            members.prop_map(|members| Value::Object(members.into_iter().collect::<Object>())),
        ]
    })
}

/// Gives exact numbers: whole, broken, negative, zero, and at the edges of what is held.
pub fn decimals() -> impl Strategy<Value = Decimal> {
    let edges = ["0", "-1", "0.01", "100", "100.01", "9999999999999999999999999999999999", "1E999"];
    prop_oneof![
        (any::<i64>(), -6..6_i16).prop_map(|(coefficient, exponent)| {
            Decimal::try_new(i128::from(coefficient), exponent).unwrap_or(Decimal::ZERO)
        }),
        select(edges.to_vec()).prop_map(|text| text.parse().unwrap_or(Decimal::ZERO)),
    ]
}

/// Gives one of `strings`, changed: wrapped, cut, doubled, joined with another, its case flipped, its
/// characters encoded or replaced by look-alikes, or set before or behind one of `granted`; and now
/// and then one of `granted`, changed.
///
/// Give it published attack strings and what your scope grants; whatever is allowed of what comes out
/// must be inside the scope.
///
/// # Panics
///
/// If `strings` is empty.
pub fn mutated(strings: Vec<String>, granted: Vec<String>) -> impl Strategy<Value = String> {
    let granted = if granted.is_empty() { vec![String::new()] } else { granted };
    let embedding = (select(granted), 0..8_u8);
    let other = select(strings.clone());
    (select(strings), other, embedding, prop::collection::vec(mutation(), 0..4)).prop_map(
        |(string, other, (granted, place), mutations)| {
            if place >= 6 {
                return apply_all((granted, mutations));
            }
            let mutated = apply_all((string, mutations));
            match place {
                0 => format!("{granted}{mutated}"),
                1 => format!("{mutated}{granted}"),
                2 => format!("{granted}/{mutated}"),
                3 => format!("{mutated}{other}"),
                4 => format!("{granted}{mutated}{granted}"),
                _ => mutated,
            }
        },
    )
}

/// An action of any built-in type. It can be proposed like each of them.
pub struct AnyAction(Box<dyn Shown>);

impl AnyAction {
    /// Wraps an action.
    #[must_use]
    pub fn new(action: impl Action + fmt::Debug + 'static) -> Self {
        Self(Box::new(action))
    }
}

impl fmt::Debug for AnyAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Action for AnyAction {
    fn kind(&self) -> Cow<'static, str> {
        self.0.kind()
    }

    fn describe(&self) -> Value {
        self.0.describe()
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        self.0.effects(context, effects);
    }
}

/// An action that a failing test can show.
trait Shown: Action + fmt::Debug {}

impl<A: Action + fmt::Debug> Shown for A {}

/// Gives an action of any built-in type, made of hostile hosts, paths, names, numbers and arguments.
pub fn any_action() -> impl Strategy<Value = AnyAction> {
    prop_oneof![
        application_actions(),
        network_actions(),
        infrastructure_actions(),
        data_actions(),
        workload_actions(),
    ]
}

fn application_actions() -> BoxedStrategy<AnyAction> {
    let name = || hostile_names();
    prop_oneof![
        (name(), name(), json_arguments(3)).prop_map(|(server, tool, arguments)| {
            AnyAction::new(ToolCall::new(server, tool, arguments))
        }),
        (select(&["GET", "POST", "get", "G T"][..]), urls())
            .prop_map(|(method, url)| AnyAction::new(ApiCall::new(method, url))),
        (name(), json_values(3))
            .prop_map(|(workflow, inputs)| AnyAction::new(TriggerWorkflow::new(workflow, inputs))),
        (select(&["email", "slack", ""][..]), prop::collection::vec(name(), 0..3))
            .prop_map(|(channel, to)| AnyAction::new(SendMessage::new(channel, to))),
        (name(), name()).prop_map(|(agent, task)| AnyAction::new(SpawnAgent::new(agent, task))),
        (name(), decimals(), name()).prop_map(|(account, amount, currency)| {
            AnyAction::new(Pay::new(account, amount, currency))
        }),
        (name(), name()).prop_map(|(place, name)| AnyAction::new(Publish::new(place, name))),
    ]
    .boxed()
}

fn network_actions() -> BoxedStrategy<AnyAction> {
    let host = || hostile_hosts();
    let addresses = prop::collection::vec(any::<[u8; 4]>().prop_map(IpAddr::from), 0..3);
    prop_oneof![
        (host(), ports(), addresses).prop_map(|(host, port, addresses)| {
            AnyAction::new(Connect::new(host, port).resolved_to(addresses))
        }),
        (host(), ports()).prop_map(|(host, port)| AnyAction::new(Listen::new(host, port))),
        (host(), ports(), hostile_names()).prop_map(|(host, port, exposes)| {
            AnyAction::new(Tunnel::new(TunnelDirection::Reverse, host, port, exposes))
        }),
        (hostile_names(), any::<bool>(), host(), ports()).prop_map(
            |(program, reverse, host, port)| {
                let direction = if reverse { Direction::Reverse } else { Direction::Bind };
                AnyAction::new(RemoteShell::new(program, direction, host, port))
            }
        ),
    ]
    .boxed()
}

fn infrastructure_actions() -> BoxedStrategy<AnyAction> {
    let name = || hostile_names();
    prop_oneof![
        (prop_oneof![name(), hostile_paths()], prop::collection::vec(name(), 0..4), any::<bool>())
            .prop_map(|(program, arguments, known)| {
                let exec = Exec::new(program).args(arguments);
                AnyAction::new(if known { exec.nothing_else() } else { exec })
            }),
        (name(), name()).prop_map(|(secret, by)| AnyAction::new(UseSecret::new(secret, by))),
        name().prop_map(|name| AnyAction::new(ChangePrivilege::new(name))),
        name().prop_map(|name| AnyAction::new(ChangeIdentity::new(name))),
        (name(), name(), name(), name()).prop_map(|(provider, verb, resource, name)| {
            AnyAction::new(MutateInfrastructure::new(provider, verb, resource, name))
        }),
        (name(), name())
            .prop_map(|(ecosystem, name)| AnyAction::new(InstallPackage::new(ecosystem, name))),
    ]
    .boxed()
}

fn data_actions() -> BoxedStrategy<AnyAction> {
    let data = || {
        prop_oneof![
            3 => hostile_paths().prop_map(DataRef::File),
            1 => hostile_names().prop_map(DataRef::Table),
            1 => hostile_names().prop_map(DataRef::Object),
        ]
    };
    prop_oneof![
        (data(), any::<bool>()).prop_map(|(data, recursive)| {
            let read = ReadData::new(data);
            AnyAction::new(if recursive { read.recursive() } else { read })
        }),
        (data(), any::<bool>()).prop_map(|(data, recursive)| {
            let write = WriteData::new(data);
            AnyAction::new(if recursive { write.recursive() } else { write })
        }),
        (data(), any::<bool>()).prop_map(|(data, recursive)| {
            let delete = DeleteData::new(data);
            AnyAction::new(if recursive { delete.recursive() } else { delete })
        }),
        (data(), hostile_names())
            .prop_map(|(data, to)| AnyAction::new(ExportData::to_named(data, to))),
        (data(), hostile_hosts(), ports()).prop_map(|(data, host, port)| {
            AnyAction::new(ExportData::to_host(data, host, port))
        }),
        hostile_names().prop_map(|name| AnyAction::new(RecallMemory::new(name))),
        (hostile_names(), hostile_names())
            .prop_map(|(name, content)| AnyAction::new(WriteMemory::new(name, &content))),
    ]
    .boxed()
}

fn workload_actions() -> BoxedStrategy<AnyAction> {
    let name = || hostile_names();
    prop_oneof![
        name().prop_map(|name| AnyAction::new(InvokeModel::new(name))),
        (name(), name(), hostile_hosts(), ports()).prop_map(|(queue, job, host, port)| {
            AnyAction::new(SubmitJob::new(queue, job).and(Connect::new(host, port)))
        }),
        accelerators().prop_map(AnyAction::new),
        (name(), accelerators()).prop_map(|(model, accelerators)| {
            AnyAction::new(StartTraining::new(model).accelerators(accelerators))
        }),
    ]
    .boxed()
}

fn accelerators() -> impl Strategy<Value = UseAccelerator> {
    let seconds = prop_oneof![Just(None), any::<u64>().prop_map(Some)];
    (hostile_names(), any::<u32>(), seconds).prop_map(|(kind, count, seconds)| {
        let accelerators = UseAccelerator::new(kind, count);
        match seconds {
            Some(seconds) => accelerators.seconds(seconds),
            None => accelerators,
        }
    })
}

fn urls() -> impl Strategy<Value = String> {
    let scheme = select(&["https://", "http://", "https:", "file://", "HTTPS:\\\\", ""][..]);
    let user = select(&["", "", "", "api.example.org@", "user:secret@", "api.example.org\\@"][..]);
    let host = prop_oneof![Just("api.example.org".to_owned()), hostile_hosts()];
    let path = prop_oneof![Just("/v1/items".to_owned()), hostile_paths()];
    (scheme, user, host, path)
        .prop_map(|(scheme, user, host, path)| format!("{scheme}{user}{host}{path}"))
}

fn ports() -> impl Strategy<Value = u16> {
    prop_oneof![3 => select(&[443_u16, 22, 80, 5432, 3333][..]), 1 => any::<u16>()]
}

fn argument_names() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(&["path", "url", "to", "amount", "project", "title"][..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// One change of a text. Places are chosen when the text is known.
#[derive(Debug, Clone)]
enum Mutation {
    Insert(Index, &'static str),
    Surround(&'static str, &'static str),
    FlipCase(u64),
    PercentEncode(u64),
    FullWidth(u64),
    LookAlike(u64),
    TurnSlashes(u64),
    Double,
    CutBefore(Index),
    CutAfter(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<Index>(), select(PIECES)).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        2 => (select(PIECES), select(PIECES)).prop_map(|(one, other)| Mutation::Surround(one, other)),
        1 => any::<u64>().prop_map(Mutation::FlipCase),
        1 => any::<u64>().prop_map(Mutation::PercentEncode),
        1 => any::<u64>().prop_map(Mutation::FullWidth),
        1 => any::<u64>().prop_map(Mutation::LookAlike),
        1 => any::<u64>().prop_map(Mutation::TurnSlashes),
        1 => Just(Mutation::Double),
        1 => any::<Index>().prop_map(Mutation::CutBefore),
        1 => any::<Index>().prop_map(Mutation::CutAfter),
    ]
}

fn apply_all((text, mutations): (String, Vec<Mutation>)) -> String {
    mutations.iter().fold(text, |text, mutation| mutation.apply(&text))
}

impl Mutation {
    fn apply(&self, text: &str) -> String {
        let count = text.chars().count();
        match self {
            Self::Insert(at, piece) => {
                let (before, after) = split(text, at.index(count + 1));
                format!("{before}{piece}{after}")
            }
            Self::Surround(before, after) => format!("{before}{text}{after}"),
            Self::FlipCase(mask) => each(text, *mask, |c| {
                let flipped = if c.is_ascii_lowercase() {
                    c.to_ascii_uppercase()
                } else {
                    c.to_ascii_lowercase()
                };
                flipped.to_string()
            }),
            Self::PercentEncode(mask) => each(text, *mask, |c| {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02x}")).collect()
            }),
            Self::FullWidth(mask) => each(text, *mask, |c| {
                let wide = ('!'..='~').contains(&c).then(|| char::from_u32(u32::from(c) + 0xfee0));
                wide.flatten().unwrap_or(c).to_string()
            }),
            Self::LookAlike(mask) => each(text, *mask, |c| look_alike(c).to_string()),
            Self::TurnSlashes(mask) => each(text, *mask, |c| {
                let turned = match c {
                    '/' => '\\',
                    '\\' => '/',
                    c => c,
                };
                turned.to_string()
            }),
            Self::Double => format!("{text}{text}"),
            Self::CutBefore(at) => split(text, at.index(count + 1)).1.to_owned(),
            Self::CutAfter(at) => split(text, at.index(count + 1)).0.to_owned(),
        }
    }
}

/// Splits before the character at `index`.
fn split(text: &str, index: usize) -> (&str, &str) {
    let at = text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Changes the characters whose bit is set in `mask`.
fn each(text: &str, mask: u64, change: impl Fn(char) -> String) -> String {
    let chosen = |index: usize| mask.rotate_right(u32::try_from(index % 64).unwrap_or(0)) & 1 == 1;
    let changed = text
        .chars()
        .enumerate()
        .map(|(index, c)| if chosen(index) { change(c) } else { c.to_string() });
    changed.collect()
}

/// A character that is drawn like `c`, or nearly.
fn look_alike(c: char) -> char {
    match c {
        'a' => 'а', // Cyrillic, and those below
        'c' => 'с',
        'e' => 'е',
        'i' => 'і',
        'o' => 'о',
        'p' => 'р',
        'x' => 'х',
        'y' => 'у',
        '/' => '\u{2215}',
        '.' => '\u{2024}',
        '-' => '\u{2010}',
        ':' => '\u{a789}',
        '@' => '\u{fe6b}',
        '\\' => '\u{2216}',
        c => c,
    }
}

fn spell(address: Ipv4Addr, spelling: u8) -> String {
    let number = u32::from(address);
    let [a, b, c, d] = address.octets();
    match spelling {
        0 => number.to_string(),
        1 => format!("{number:#x}"),
        2 => format!("0{number:o}"),
        3 => format!("{a:#x}.0{b:o}.{}", u16::from(c) << 8 | u16::from(d)),
        4 => format!("[{}]", address.to_ipv6_mapped()),
        5 => format!("64:ff9b::{address}"),
        6 => format!("{a}\u{3002}{b}\u{ff0e}{c}.{d}."),
        _ => address.to_string(),
    }
}

fn spell_ipv6(bits: u128) -> String {
    format!("[{}]", Ipv6Addr::from_bits(bits))
}

const HOSTS: &[&str] = &[
    "git.example.org",
    "api.example.org",
    "example.org",
    "localhost",
    "metadata.google.internal",
    "instance-data",
    "git.example.org.attacker.example",
    "git-example.org",
    "xn--gt-epa.example.org",
    "git.example.org:443",
    "attacker.example#git.example.org",
    "git.example.org@attacker.example",
    "fe80::1%eth0",
    "",
];

const PATH_PIECES: &[&str] = &[
    "..",
    ".",
    "",
    "src",
    "main.rs",
    ".git",
    "hooks",
    "config",
    "target",
    "etc",
    "shadow",
    "root",
    "%2e%2e",
    "..%2f",
    "..;",
    "\\..\\",
    "...",
    "\u{ff0e}\u{ff0e}",
    "a\0b",
];

const NAMES: &[&str] = &[
    "",
    ".",
    "..",
    "*",
    "**",
    "tracker",
    "create_ticket",
    "WEB",
    "crm.orders",
    "crm..orders",
    "task/notes",
    "task/../secrets",
    "dana@example.org",
    "dana@example.org@attacker.example",
    "spiffe://example.org/agent/coder",
    "git",
    "/bin/sh",
    "--upload-pack=id",
    "$(id)",
    "a\nb",
    "EUR",
    "gpu",
];

const PIECES: &[&str] = &[
    "/",
    "//",
    "/../",
    "../",
    "./",
    "/./",
    "..",
    ".",
    "\\",
    "\\..\\",
    "@",
    ":",
    ":443",
    "#",
    "?",
    "&",
    ";",
    "|",
    "*",
    "**",
    "!",
    "-",
    "--",
    "$(id)",
    "`id`",
    "%",
    "%00",
    "%2e%2e%2f",
    "%252e",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[2J",
    "\u{ad}",
    "\u{200b}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{ff0f}",
    "\u{3002}",
    "\u{fffd}",
    "\u{1f980}",
    "0x",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    ",",
    "=",
    "~",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_keep_characters_whole() {
        let check = |mutation: &Mutation, text: &str, expected: &str| {
            assert_eq!(mutation.apply(text), expected);
        };
        check(&Mutation::Double, "é", "éé");
        check(&Mutation::FlipCase(!0), "aBé", "Abé");
        check(&Mutation::PercentEncode(1), "é/", "%c3%a9/");
        check(&Mutation::FullWidth(!0), "a b", "\u{ff41} \u{ff42}");
        check(&Mutation::TurnSlashes(!0), r"a/b\c", r"a\b/c");
        check(&Mutation::Surround("/", "@"), "x", "/x@");
        assert_eq!(split("aéb", 2), ("aé", "b"));
        assert_eq!(split("aéb", 9), ("aéb", ""));
    }

    proptest! {
        #[test]
        fn built_ins_describe_themselves(action in any_action()) {
            let text = action.describe().to_canonical();
            let starts = text.starts_with('{');
            prop_assert!(starts);
            prop_assert!(!action.kind().is_empty());
        }
    }
}
