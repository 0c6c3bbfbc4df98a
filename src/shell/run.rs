//! One simple command: its variables, the function or program that it runs, and what that does.

use std::borrow::Cow;
use std::sync::Arc;

use crate::action::TextList;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Open, Stdin, Text, Unknown};
use crate::shell::irregular::{self, anything, takes_from_file};
use crate::shell::produced;
use crate::shell::state::{State, Value};
use crate::shell::syntax::{Assignment, Command, Span};
use crate::shell::walk::{Walk, Ways, What, known_value};

/// The most programs that run each other: `env timeout 5 nice …`.
pub(crate) const MAX_WRAPPERS: u32 = 12;

/// Who runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The shell itself: its builtins change it.
    Shell,
    /// Another program: a process of its own.
    Program,
}

impl Walk<'_, '_> {
    /// Walks one command whose words are expanded.
    pub(crate) fn simple<'t, 's>(
        &mut self,
        assignments: &'t [Assignment<'s>],
        arguments: Vec<Text<'s>>,
        mut state: State<'t, 's>,
        span: Span,
        upstream: Option<&'t [Command<'s>]>,
    ) -> Ways<'t, 's> {
        let Some(program) = arguments.first() else {
            self.assignments(assignments, &mut state, false);
            return Ways::both(state);
        };
        let reads = program.literal() == Some("read");
        self.assignments_for(assignments, &mut state, reads);
        self.span = span;
        if let Some(name) = program.literal() {
            let functions: Vec<_> = state.functions_of(name).collect();
            let mut called: Option<Ways<'t, 's>> = None;
            for function in functions {
                let mut inside = state.clone();
                inside.forget_all();
                // What it changes may be seen behind it, and its arguments are not tracked.
                let ways = self.call(function.body, inside);
                match &mut called {
                    Some(called) => called.done.join(&ways.done),
                    None => called = Some(ways),
                }
                if function.certain {
                    break;
                }
            }
            let certain = state.function(name).is_some_and(|function| function.certain);
            if let Some(mut called) = called {
                if !certain {
                    let ways = self.start(arguments, state, upstream);
                    called.done.join(&ways.done);
                    called.failed.join(&ways.failed);
                }
                called.done.forget_all();
                called.failed.forget_all();
                return called;
            }
        }
        self.start(arguments, state, upstream)
    }

    fn start<'t, 's>(
        &mut self,
        arguments: Vec<Text<'s>>,
        state: State<'t, 's>,
        upstream: Option<&'t [Command<'s>]>,
    ) -> Ways<'t, 's> {
        let mut ways = Ways::both(state);
        self.run(arguments, &mut ways, By::Shell, upstream);
        ways
    }

    /// Looks up what a program does, and follows what it runs in turn.
    fn run<'t, 's>(
        &mut self,
        arguments: Vec<Text<'s>>,
        ways: &mut Ways<'t, 's>,
        by: By,
        upstream: Option<&'t [Command<'s>]>,
    ) {
        let state = ways.done.clone();
        let Some((program, rest)) = arguments.split_first() else { return };
        let opaque = |reason: Reason| Deed::Opaque { reason, span: program.span };
        let Some(path) = program.literal().filter(|path| !path.is_empty()) else {
            // A function or a builtin may be meant too.
            ways.done.forget_all();
            ways.done.lose_places();
            ways.failed = ways.done.clone();
            return self.deed(&state, opaque(Reason::ShellDynamicProgram));
        };
        self.grow(rest);
        self.running(&state, program, rest);
        if !path.is_ascii() {
            return self.deed(&state, opaque(Reason::ShellInvisibleCharacter));
        }
        let Some(name) = name_of(path) else {
            // What it does depends on what lies there; its own effect says so.
            return;
        };
        if follows_links(name, rest) {
            // Links in a tree lead out of it.
            self.deed(&state, opaque(Reason::ShellDynamicPath));
        }
        let by = if path.contains('/') { By::Program } else { by };
        let named = upstream
            .filter(|_| self.env.has_plain_names())
            .and_then(|upstream| produced::named(name, rest, upstream, program.span));
        let rest = match &named {
            Some((rest, stream)) => {
                for place in &stream.below {
                    self.relies_on_names(place, &state);
                }
                rest
            }
            None => rest,
        };
        let invocation =
            Invocation { name, arguments: rest, stdin: &state.stdin, span: program.span };
        let mut deeds = Vec::new();
        let known = irregular::deeds(&invocation, &mut deeds)
            || self.env.programs().deeds(&invocation, &mut deeds);
        if !known {
            return self.deed(&state, opaque(Reason::ShellUnknownProgram));
        }
        if !SPELLED.contains(&name) {
            let mut patterns = rest.iter().filter(|text| is_pattern(text)).peekable();
            let mut paths: Vec<&str> = Vec::new();
            if patterns.peek().is_some() {
                paths.extend(deeds.iter().filter_map(Deed::path).map(|path| &*path.text));
                // The program that is run says what they mean.
                let inside = deeds.iter().filter_map(|deed| match deed {
                    Deed::Command { argv } | Deed::CommandWith { argv, .. } => Some(argv),
                    _ => None,
                });
                paths.extend(inside.flatten().map(|text| &*text.text));
                paths.sort_unstable();
            }
            for text in patterns {
                if paths.binary_search(&&*text.text).is_err() {
                    // What it expands to is spread over operands that mean different things.
                    self.deed(&state, opaque(Reason::ShellDynamicArgument));
                }
            }
        }
        for deed in deeds {
            self.follow(deed, name, rest, ways, by, upstream);
        }
    }

    /// Notes a program that is named and not run.
    fn mention(&mut self, argv: Vec<Text<'_>>, state: &State<'_, '_>) {
        if let Some((program, rest)) = argv.split_first() {
            self.running(state, program, rest);
        }
    }

    fn running(&mut self, state: &State<'_, '_>, program: &Text<'_>, arguments: &[Text<'_>]) {
        let arguments = TextList::new_in(&mut self.buffer, arguments);
        let (program, open) = (Arc::<str>::from(&*program.text).into(), program.open.clone());
        self.step(state, What::Run { program, open, arguments });
    }

    /// Runs a program in a process of its own, which reads what the one that starts it reads unless
    /// that one takes it `away`.
    fn run_inside<'t, 's>(&mut self, argv: Vec<Text<'s>>, ways: &Ways<'t, 's>, away: bool) {
        let mut inside = Ways::both(ways.done.clone());
        if away {
            inside.done.stdin = Stdin::Inherited;
        }
        self.run(argv, &mut inside, By::Program, None);
    }

    fn follow<'t, 's>(
        &mut self,
        deed: Deed<'s>,
        program: &str,
        arguments: &[Text<'s>],
        ways: &mut Ways<'t, 's>,
        by: By,
        upstream: Option<&'t [Command<'s>]>,
    ) {
        let span = self.span;
        match deed {
            Deed::ChangeDirectory(path) => {
                if by == By::Shell {
                    // `cd` by itself.
                    let home = match ways.done.get("HOME", self.env) {
                        Value::Known(home) if path.text == "~" && !path.open.is_empty() => {
                            Some(home)
                        }
                        _ => None,
                    };
                    ways.done.change_directory(home.as_ref().unwrap_or(&path).literal());
                }
            }
            Deed::Environment { name, value } => {
                let Some(known) = name.literal() else {
                    let reason = Reason::ShellEnvironment;
                    return self.deed(&ways.done, Deed::Opaque { reason, span: name.span });
                };
                let state = ways.done.clone();
                self.judge(&state, known, &value, true, name.span);
                if by == By::Shell {
                    let kept = known_value(Value::Known(value.clone()));
                    ways.done.set(Cow::Owned(known.to_owned()), kept);
                    ways.failed.set(Cow::Owned(known.to_owned()), Value::Unknown);
                }
            }
            Deed::Forget { name } => {
                let Some(known) = name.literal() else {
                    ways.done.forget_all();
                    ways.failed.forget_all();
                    let reason = Reason::ShellEnvironment;
                    return self.deed(&ways.done, Deed::Opaque { reason, span: name.span });
                };
                self.assigned(known, &Text::known("", name.span), false, name.span);
                let value = match (program, &ways.done.stream) {
                    ("read", Some(stream)) if stream.whole && is_plain_read(arguments) => {
                        match stream.below.as_slice() {
                            [place] => {
                                let state = ways.done.clone();
                                self.relies_on_names(place, &state);
                                let text = produced::below(place, span);
                                Value::Known(Text { many: false, ..text })
                            }
                            _ => Value::Unknown,
                        }
                    }
                    _ if program == "unset" => {
                        // Without `-v` a function of that name goes too.
                        ways.done.doubt(known);
                        ways.failed.doubt(known);
                        Value::Unset
                    }
                    _ => Value::Unknown,
                };
                ways.done.set(Cow::Owned(known.to_owned()), value);
                ways.failed.set(Cow::Owned(known.to_owned()), Value::Unknown);
            }
            Deed::Shell { script, login } => {
                let state = ways.done.clone();
                if login && !self.env.has_harmless_profile() {
                    let reason = Reason::ShellProfile;
                    self.deed(&state, Deed::Opaque { reason, span: script.span });
                }
                self.inner_script(&script, Arc::clone(&state.places), inner_stdin(&state.stdin));
                if matches!(program, "eval" | "source" | ".") {
                    // It ran in this very shell.
                    for state in [&mut ways.done, &mut ways.failed] {
                        state.forget_all();
                        state.lose_places();
                    }
                }
            }
            Deed::Command { argv } => {
                if self.wrappers >= MAX_WRAPPERS {
                    let reason = Reason::ShellTooLarge;
                    return self.deed(&ways.done, Deed::Opaque { reason, span });
                }
                self.wrappers += 1;
                if by == By::Shell && matches!(program, "command" | "builtin" | "exec") {
                    self.run(argv, ways, By::Shell, upstream);
                } else {
                    let mut inside = Ways::both(ways.done.clone());
                    self.run(argv, &mut inside, By::Program, upstream);
                }
                self.wrappers -= 1;
            }
            Deed::CommandWith { mut argv, appended } => {
                if self.wrappers >= MAX_WRAPPERS {
                    let reason = Reason::ShellTooLarge;
                    return self.deed(&ways.done, Deed::Opaque { reason, span });
                }
                let xargs = program == "xargs";
                // Only `xargs` gives its commands an empty input, and only if it reads its own.
                let away = xargs && !takes_from_file(arguments);
                let upstream = upstream.filter(|_| xargs);
                let given = upstream.and_then(|upstream| produced::given(upstream, arguments));
                let stream = upstream.filter(|_| given.is_none()).and_then(|upstream| {
                    produced::by(upstream, arguments, self.env.has_plain_names())
                });
                self.wrappers += 1;
                match stream {
                    _ if given.is_some() => {
                        for given in given.unwrap_or_default() {
                            self.run_inside(given.fill(&argv, span), ways, away);
                        }
                    }
                    Some(stream) => {
                        for place in &stream.below {
                            if stream.needs_plain_names() {
                                self.relies_on_names(place, &ways.done);
                            }
                            let found = stream.text(place, span);
                            let argv = handed(&argv, &found, appended);
                            self.run_inside(argv, ways, away);
                            if stream.visible.is_some() {
                                break;
                            }
                        }
                    }
                    // Nothing comes in: it runs once with what it was given, and with `-I` not at all.
                    None if away && ways.done.stdin == Stdin::Inherited => {
                        let mut open = argv.iter().flat_map(|text| &text.open);
                        let marked = open.any(|open| open.what == Unknown::Mark);
                        match marked && !appended {
                            true => self.mention(argv, &ways.done),
                            false => {
                                // No word came in to stand at the end.
                                argv.retain(|text| *text != anything(text.span));
                                let argv = argv.into_iter().map(unmarked).collect();
                                self.run_inside(argv, ways, away);
                            }
                        }
                    }
                    None => {
                        let mut argv: Vec<_> = argv.into_iter().map(unmarked).collect();
                        if appended {
                            argv.push(produced::anything(span));
                        }
                        self.run_inside(argv, ways, away);
                    }
                }
                self.wrappers -= 1;
            }
            other => self.deed(&ways.done, other),
        }
    }
}

/// Whether a program walks through a tree and follows the links in it.
fn follows_links(name: &str, arguments: &[Text<'_>]) -> bool {
    let has = |flags: &[char], long: &[&str]| {
        arguments.iter().filter_map(Text::literal).take_while(|text| *text != "--").any(|text| {
            match text.strip_prefix('-') {
                Some(rest) if rest.starts_with('-') => long.contains(&text),
                Some(rest) => rest.contains(flags),
                None => false,
            }
        })
    };
    match name {
        "find" => {
            let words = arguments.iter().filter_map(Text::literal);
            words.take(2).any(|text| text == "-L")
                || arguments.iter().any(|text| text.literal() == Some("-follow"))
        }
        "grep" | "egrep" | "fgrep" => has(&['R'], &["--dereference-recursive"]),
        "rg" | "fd" | "fdfind" => has(&['L'], &["--follow"]),
        "tree" => has(&['l'], &[]),
        "cp" => {
            has(&['L'], &["--dereference"]) && has(&['r', 'R', 'a'], &["--recursive", "--archive"])
        }
        "du" => has(&['L'], &["--dereference"]),
        "ls" => has(&['L'], &["--dereference"]) && has(&['R'], &["--recursive"]),
        "tar" => has(&['h'], &["--dereference"]),
        "zip" => has(&['r', 'R'], &["--recurse-paths"]) && !has(&['y'], &["--symlinks"]),
        "chown" | "chgrp" | "chmod" => {
            has(&['L', 'H'], &["--dereference"]) && has(&['R'], &["--recursive"])
        }
        "rsync" => has(&['L'], &["--copy-links", "--copy-unsafe-links"]),
        _ => false,
    }
}

/// Whether the text is a pattern that the shell expands to any number of names.
fn is_pattern(text: &Text<'_>) -> bool {
    text.many && text.open.iter().any(|open| matches!(open.what, Unknown::Glob | Unknown::Name))
}

/// Programs that do nothing with operands, or nothing at all when there are too many of them.
const SPELLED: [&str; 11] =
    ["echo", "printf", ":", "true", "false", "find", "basename", "dirname", "seq", "tr", "cd"];

/// Whether `read` takes whole words from its input: one name, and no option but `-r`.
fn is_plain_read(arguments: &[Text<'_>]) -> bool {
    // A second name may stay empty.
    let names = arguments.iter().filter(|text| text.literal() != Some("-r"));
    let literal = |text: &Text<'_>| text.literal().is_some_and(|text| !text.starts_with('-'));
    names.clone().count() == 1 && names.into_iter().all(literal)
}

/// The arguments of a program that gets what was `found`, at the end or where marks are.
fn handed<'s>(argv: &[Text<'s>], found: &Text<'s>, appended: bool) -> Vec<Text<'s>> {
    let mut all: Vec<Text<'s>> = argv.iter().map(|text| marked(text, found)).collect();
    if appended {
        all.push(found.clone());
    }
    all
}

/// A text with a path that was `found` where its mark is, as far as it is a path then.
fn marked<'s>(text: &Text<'s>, found: &Text<'s>) -> Text<'s> {
    let [Open { start, end, what: Unknown::Mark }] = *text.open.as_slice() else {
        return unmarked(text.clone());
    };
    let known = text.text.get(..start as usize).unwrap_or_default();
    let tail = text.text.get(end as usize..).unwrap_or_default();
    let plain = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c));
    let (directory, name) = known.rsplit_once('/').unwrap_or(("", known));
    // Names do not climb, so what is put behind a directory stays below it, and what is put behind the
    // beginning of a name makes another name.
    let begins = |name: &str| name.chars().any(|c| c != '.') && !name.starts_with("..");
    let fine = plain(tail)
        && match known {
            "" => true,
            _ if known.starts_with('-') || text.many => false,
            known if known.ends_with('/') => true,
            known => plain(known) && begins(name),
        };
    if !fine {
        return unmarked(text.clone());
    }
    let names = found.open.iter().all(|open| open.what == Unknown::Name);
    let mut filled = match known {
        "" => found.clone(),
        // Names without a slash stay what they are behind the beginning of another.
        known if names => {
            let shift = u32::try_from(known.len()).unwrap_or(u32::MAX);
            let moved = |open: &Open| Open {
                start: open.start.saturating_add(shift),
                end: open.end.saturating_add(shift),
                what: Unknown::Glob,
            };
            let open = found.open.iter().map(moved).collect();
            Text { text: format!("{known}{}", found.text).into(), open, ..found.clone() }
        }
        known if known.starts_with('/') && directory.is_empty() => produced::below("/", text.span),
        _ => produced::below(directory, text.span),
    };
    filled.many = false;
    filled.span = text.span;
    filled.text.to_mut().push_str(tail);
    filled
}

/// Marks that are not followed stand for anything.
fn unmarked(mut text: Text<'_>) -> Text<'_> {
    for open in text.open.iter_mut().filter(|open| open.what == Unknown::Mark) {
        open.what = Unknown::Anything;
    }
    text
}

/// The name by which a program is looked up: its own, or the last part of a path to where the system
/// keeps its programs. None for any other path: what lies there is not what its name says.
pub(crate) fn name_of(path: &str) -> Option<&str> {
    const SYSTEM: [&str; 6] =
        ["/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/", "/usr/local/sbin/"];
    if !path.contains('/') {
        return Some(path);
    }
    let name = SYSTEM.iter().find_map(|place| path.strip_prefix(place))?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// The input of a script inside of a command is that of the command; text of the line is not passed
/// on as known, because the two scripts are of different lifetimes.
fn inner_stdin(stdin: &Stdin<'_>) -> Stdin<'static> {
    match stdin {
        Stdin::Inherited => Stdin::Inherited,
        _ => Stdin::Piped,
    }
}
