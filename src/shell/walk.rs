//! From the tree of a line to what each of its commands would do.
//!
//! The walk follows every way that a line can take: both sides of `&&` and `||`, every branch, every
//! function, every substitution. It keeps what is known at each point (see `state`) and joins it where
//! ways meet, so that nothing is believed that holds on one of them only.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::action::{SharedText, TextList};
use crate::reason::Reason;
use crate::shell::changes::Changes;
use crate::shell::deed::{Deed, Open, Stdin, Text, Unknown};
use crate::shell::environment::{Dialect, ShellEnv};
use crate::shell::expand::is_number;
use crate::shell::parse;
use crate::shell::produced;
use crate::shell::state::{Places, State, Value};
use crate::shell::syntax::{
    Assignment, Command, Kind, Link, List, Operator, Part, Pipeline, Redirect, Span, Word,
};
use crate::shell::variables::{self, Setting};

/// The most scripts inside of scripts: `bash -c "bash -c …"`.
pub(crate) const MAX_SCRIPTS: u32 = 6;

/// The most functions that call each other.
const MAX_CALLS: u32 = 8;

/// The most commands that are walked, loops over literal lists counted once for each value.
pub(crate) const MAX_COMMANDS: u32 = 1024;

/// The most things that a line may do.
const MAX_STEPS: usize = 2048;

/// Room for the steps of an ordinary line, in an allocation that is still a small one.
const FEW_STEPS: usize = 4;

/// The most bytes that words may grow to over all commands, those of a loop counted each time; a
/// word counts [`WORD_BYTES`] more than it has. The longest line that repeats nothing is below it.
const MAX_EXPANDED_BYTES: usize = 512 * 1024;

/// What a word costs whatever its length is, in bytes.
const WORD_BYTES: usize = 16;

/// The most values of a loop variable that are tried one by one.
const MAX_VALUES: usize = 16;

/// One thing that the line would do, and where.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) what: What,
    /// The directories that relative paths may start at; none: nobody knows.
    pub(crate) places: Places,
    /// The place of the command in the line itself.
    pub(crate) span: Span,
    /// The number of the command that does it.
    pub(crate) command: u32,
    /// The first command that may still be running, or run again, when this one does.
    pub(crate) since: u32,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A program or a command of the shell is run.
    Run {
        program: SharedText,
        /// What is open in its name, where it is one that is not run.
        open: Vec<Open>,
        arguments: TextList,
    },
    /// Something that running it does.
    Deed(Deed<'static>),
    /// Names below this place are believed to be plain.
    Names { place: Text<'static> },
}

/// Everything that a line would do, in the order of its text.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// The command that takes names apart at blanks, where one does.
    pub(crate) splits_names: Option<u32>,
}

/// Walks `line`, which starts in the declared directory.
pub(crate) fn plan(line: &str, env: &ShellEnv) -> Plan {
    let mut plan = Plan { steps: Vec::with_capacity(FEW_STEPS), splits_names: None };
    let mut walk = Walk {
        env,
        plan: &mut plan,
        commands: 0,
        expanded: 0,
        since: None,
        scripts: 0,
        calls: 0,
        wrappers: 0,
        outer: None,
        span: Span::default(),
        buffer: String::new(),
    };
    let places = env.places();
    if env.dialect() != Dialect::Bash {
        let end = u32::try_from(line.len()).unwrap_or(u32::MAX);
        walk.span = Span { start: 0, end };
        let state = State::new(places, Stdin::Inherited);
        let reason = Reason::ShellDialect;
        walk.deed(&state, Deed::Opaque { reason, span: walk.span });
        return plan;
    }
    let stdin = if env.has_input() { Stdin::Piped } else { Stdin::Inherited };
    walk.script(line, places, stdin);
    plan
}

/// The walk itself.
pub(crate) struct Walk<'e, 'p> {
    pub(crate) env: &'e ShellEnv,
    plan: &'p mut Plan,
    /// How many commands have been walked.
    commands: u32,
    /// How much words have grown to.
    expanded: usize,
    /// The first command of the outermost loop, pipeline or background job that this is part of.
    since: Option<u32>,
    scripts: u32,
    calls: u32,
    pub(crate) wrappers: u32,
    /// The place in the line of the script that is walked, where it is not the line itself.
    outer: Option<Span>,
    /// The command that is walked.
    pub(crate) span: Span,
    /// Room in which arguments are put together.
    pub(crate) buffer: String,
}

/// What is known where a command has succeeded, and where it has failed.
pub(crate) struct Ways<'t, 's> {
    pub(crate) done: State<'t, 's>,
    pub(crate) failed: State<'t, 's>,
}

impl<'t, 's> Ways<'t, 's> {
    pub(crate) fn both(state: State<'t, 's>) -> Self {
        Self { done: state.clone(), failed: state }
    }

    fn joined(mut self) -> State<'t, 's> {
        self.done.join(&self.failed);
        self.done
    }
}

impl Walk<'_, '_> {
    /// Parses and walks a script that starts in `places`.
    pub(crate) fn script(&mut self, script: &str, places: Places, stdin: Stdin<'_>) {
        match parse::parse(script) {
            Ok(parsed) => {
                let mut state = State::new(places, stdin);
                // A script inside of another gets what that one exports.
                if self.env.is_closed() && self.scripts == 0 {
                    state.close();
                }
                self.list(&parsed.list, state);
            }
            Err(reject) => {
                let state = State::new(places, Stdin::Inherited);
                self.span = reject.span;
                self.commands += 1;
                self.deed(&state, Deed::Opaque { reason: reject.reason, span: reject.span });
            }
        }
    }

    /// Walks a script inside of a command at `span`.
    pub(crate) fn inner_script(&mut self, script: &Text<'_>, places: Places, stdin: Stdin<'_>) {
        let state = State::new(Arc::clone(&places), Stdin::Inherited);
        let Some(text) = script.literal() else {
            let reason = Reason::ShellDynamicProgram;
            return self.deed(&state, Deed::Opaque { reason, span: script.span });
        };
        if self.scripts >= MAX_SCRIPTS {
            let reason = Reason::ShellTooLarge;
            return self.deed(&state, Deed::Opaque { reason, span: script.span });
        }
        let (outer, span) = (self.outer, self.span);
        self.outer = outer.or(Some(script.span));
        self.scripts += 1;
        self.script(text, places, stdin);
        self.scripts -= 1;
        (self.outer, self.span) = (outer, span);
    }

    /// Puts down something that the command does.
    pub(crate) fn deed(&mut self, state: &State<'_, '_>, deed: Deed<'_>) {
        self.step(state, What::Deed(deed.into_owned()));
    }

    /// Counts words towards what all of them may grow to.
    pub(crate) fn grow(&mut self, words: &[Text<'_>]) {
        let bytes = words.iter().map(|word| word.text.len() + WORD_BYTES).sum();
        self.expanded = self.expanded.saturating_add(bytes);
    }

    /// Reports whether words have grown beyond what is followed: the rest of the line is opaque.
    pub(crate) fn has_grown(&self) -> bool {
        self.expanded > MAX_EXPANDED_BYTES
    }

    /// Notes that the command takes names below `place` apart at blanks, or for no options.
    pub(crate) fn relies_on_names(&mut self, place: &str, state: &State<'_, '_>) {
        self.plan.splits_names = Some(self.commands);
        let place = Text::known(if place.is_empty() { "." } else { place }.to_owned(), self.span);
        self.step(state, What::Names { place });
    }

    pub(crate) fn step(&mut self, state: &State<'_, '_>, mut what: What) {
        let full = self.plan.steps.len();
        if full > MAX_STEPS {
            return;
        }
        if full == MAX_STEPS {
            what = What::Deed(Deed::Opaque { reason: Reason::ShellTooLarge, span: self.span });
        }
        self.plan.steps.push(Step {
            what,
            places: Arc::clone(&state.places),
            span: self.outer.unwrap_or(self.span),
            command: self.commands,
            since: self.since.unwrap_or(self.commands),
        });
    }

    /// Walks commands one after the other.
    pub(crate) fn list<'t, 's>(
        &mut self,
        list: &'t List<'s>,
        state: State<'t, 's>,
    ) -> Ways<'t, 's> {
        let mut ways = Ways::both(state);
        let mut before: Option<State<'t, 's>> = None;
        for pipeline in &list.pipelines {
            match pipeline.link {
                Link::Then => {
                    if let Some(before) = before.take() {
                        ways = Ways::both(before);
                    }
                    let start = ways.joined();
                    if pipeline.background {
                        // It runs beside what follows, in a shell of its own.
                        before = Some(start.clone());
                    }
                    ways = self.pipeline(pipeline, start);
                }
                Link::And => {
                    let next = self.pipeline(pipeline, ways.done);
                    ways.failed.join(&next.failed);
                    ways.done = next.done;
                }
                Link::Or => {
                    let next = self.pipeline(pipeline, ways.failed);
                    ways.done.join(&next.done);
                    ways.failed = next.failed;
                }
            }
        }
        match before {
            Some(before) => Ways::both(before),
            None => ways,
        }
    }

    fn pipeline<'t, 's>(
        &mut self,
        pipeline: &'t Pipeline<'s>,
        mut state: State<'t, 's>,
    ) -> Ways<'t, 's> {
        if let [command] = pipeline.commands.as_slice() {
            if !pipeline.background {
                let ways = self.command(command, state, None);
                if pipeline.prefixed {
                    // `!` turns success around.
                    return Ways::both(ways.joined());
                }
                return ways;
            }
            // Names that a job creates can appear at any later time. What it does to its own shell counts
            // for the rest of its list, which runs in the background as a whole.
            let since = self.begin();
            let ways = self.command(command, state, None);
            self.since = since;
            return ways;
        }
        // All of them run at the same time, each in a shell of its own.
        let since = self.begin();
        let stdin = std::mem::take(&mut state.stdin);
        for (index, command) in pipeline.commands.iter().enumerate() {
            let mut own = state.clone();
            own.stdin = if index == 0 { stdin.clone() } else { Stdin::Piped };
            let upstream =
                index.checked_sub(1).map(|_| pipeline.commands.get(..index).unwrap_or(&[]));
            if index > 0 {
                own.stream = None;
                let compound = !matches!(command.kind, Kind::Simple { .. });
                if compound && self.env.has_plain_names() && !state.has_functions() {
                    let lines = produced::only_reads_lines(command);
                    own.stream = upstream.filter(|_| lines).and_then(produced::lines);
                }
            }
            self.command(command, own, upstream);
        }
        self.since = since;
        state.stdin = stdin;
        Ways::both(state)
    }

    /// Begins something whose commands run at the same time, or more than once.
    fn begin(&mut self) -> Option<u32> {
        let since = self.since;
        self.since = since.or(Some(self.commands + 1));
        since
    }

    /// Walks a substitution: a shell of its own.
    pub(crate) fn substitution<'t, 's>(&mut self, list: &'t List<'s>, state: &State<'t, 's>) {
        let (since, span) = (self.begin(), self.span);
        self.list(list, state.clone());
        (self.since, self.span) = (since, span);
    }

    fn command<'t, 's>(
        &mut self,
        command: &'t Command<'s>,
        mut state: State<'t, 's>,
        upstream: Option<&'t [Command<'s>]>,
    ) -> Ways<'t, 's> {
        self.span = command.span;
        if self.commands >= MAX_COMMANDS || self.has_grown() {
            self.deed(&state, Deed::Opaque { reason: Reason::ShellTooLarge, span: command.span });
            return Ways::both(state);
        }
        self.commands += 1;
        let outside = state.stdin.clone();
        if let Kind::Simple { assignments, words } = &command.kind {
            let arguments = self.arguments(words, &mut state);
            self.redirects(&command.redirects, &mut state);
            let piped = command.redirects.iter().all(|redirect| redirect.descriptor != 0);
            let upstream = upstream.filter(|_| piped && !state.has_functions());
            let replaced = arguments.first().is_some_and(|name| name.literal() == Some("exec"));
            let mut ways = self.simple(assignments, arguments, state, command.span, upstream);
            // `exec <file` is for all that follows.
            let outside = if replaced { Stdin::Piped } else { outside };
            ways.done.stdin = outside.clone();
            ways.failed.stdin = outside;
            return ways;
        }
        self.redirects(&command.redirects, &mut state);
        let mut ways = self.compound(command, state);
        ways.done.stdin = outside.clone();
        ways.failed.stdin = outside;
        ways
    }

    fn compound<'t, 's>(
        &mut self,
        command: &'t Command<'s>,
        mut state: State<'t, 's>,
    ) -> Ways<'t, 's> {
        match &command.kind {
            Kind::Simple { .. } => Ways::both(state),
            Kind::Group(list) => self.list(list, state),
            Kind::Subshell(list) => {
                self.list(list, state.clone());
                Ways::both(state)
            }
            Kind::If { branches, otherwise } => {
                let mut end: Option<State<'t, 's>> = None;
                let mut add = |state: State<'t, 's>| match &mut end {
                    Some(end) => end.join(&state),
                    None => end = Some(state),
                };
                for (condition, body) in branches {
                    let ways = self.list(condition, state);
                    add(self.list(body, ways.done).joined());
                    state = ways.failed;
                }
                if let Some(otherwise) = otherwise {
                    state = self.list(otherwise, state).joined();
                }
                add(state);
                end.map_or_else(
                    || Ways::both(State::new(Arc::from([]), Stdin::Inherited)),
                    Ways::both,
                )
            }
            Kind::Loop { condition, body } => {
                let since = self.begin();
                self.widen(&[condition, body], &mut state);
                let ways = self.list(condition, state);
                let end = self.list(body, ways.done).joined();
                self.since = since;
                let mut failed = ways.failed;
                failed.join(&end);
                Ways::both(failed)
            }
            Kind::For { name, words, body } => self.for_each(name, words.as_deref(), body, state),
            Kind::ArithmeticFor { head, body } => {
                let since = self.begin();
                self.widen(&[body], &mut state);
                self.arithmetic(&head.parts, &mut state, head.span);
                let end = self.list(body, state.clone()).joined();
                state.join(&end);
                self.since = since;
                Ways::both(state)
            }
            Kind::Case { subject, arms } => {
                self.text(subject, &mut state);
                let mut end = state.clone();
                for (patterns, body) in arms {
                    for pattern in patterns {
                        self.text(pattern, &mut state);
                    }
                    // An arm may fall through into the next (`;&`), with what it has done.
                    let after = self.list(body, state.clone()).joined();
                    end.join(&after);
                    state.join(&after);
                }
                Ways::both(end)
            }
            Kind::Function { name, body } => {
                // What it would do here, whether or not it is called; and again at each call.
                let span = self.span;
                let mut inside = state.clone();
                inside.forget_all();
                self.call(body, inside);
                if matches!(*name, "command_not_found_handle") {
                    // The shell calls it by itself.
                    let reason = Reason::ShellBuiltin;
                    self.deed(&state, Deed::Opaque { reason, span });
                }
                self.span = span;
                state.define(name, body);
                Ways::both(state)
            }
            Kind::Test(words) => {
                self.test(words, &mut state);
                Ways::both(state)
            }
            Kind::Arithmetic(word) => {
                self.arithmetic(&word.parts, &mut state, word.span);
                Ways::both(state)
            }
        }
    }

    fn for_each<'t, 's>(
        &mut self,
        name: &'s str,
        words: Option<&'t [Word<'s>]>,
        body: &'t List<'s>,
        mut state: State<'t, 's>,
    ) -> Ways<'t, 's> {
        let span = self.span;
        let values = words.map(|words| self.arguments(words, &mut state));
        self.span = span;
        self.assigned(name, &Text::known("", span), false, span);
        let since = self.begin();
        let few = |values: &Vec<Text<'s>>| {
            let known =
                |value: &Text<'s>| value.open.iter().all(|open| open.what != Unknown::Anything);
            let many = |value: &Text<'s>| value.many && value.open.is_empty();
            (1..=MAX_VALUES).contains(&values.len())
                && values.iter().all(|value| known(value) && !many(value))
        };
        let end = match values {
            Some(values) if few(&values) => {
                self.widen(&[body], &mut state);
                let mut end = state.clone();
                for value in values {
                    let mut own = state.clone();
                    own.set(Cow::Borrowed(name), Value::Known(Text { many: false, ..value }));
                    end.join(&self.list(body, own).joined());
                }
                end
            }
            values => {
                self.widen(&[body], &mut state);
                let value = values.as_deref().map_or(Value::Unknown, any_of);
                state.set(Cow::Borrowed(name), value);
                let end = self.list(body, state.clone()).joined();
                state.join(&end);
                state
            }
        };
        self.since = since;
        Ways::both(end)
    }

    /// Forgets what the body of a loop may have changed when it is walked for the first time.
    fn widen<'t, 's>(&mut self, lists: &[&'t List<'s>], state: &mut State<'t, 's>) {
        let mut changes = Changes::default();
        for list in lists {
            changes.list(list);
        }
        // A function that is called there may change anything.
        changes.everything |= state.has_functions();
        changes.apply(state);
    }

    fn widen_everything(&mut self, state: &mut State<'_, '_>) {
        state.forget_all();
        state.lose_places();
    }

    /// Walks the body of a function where it is called.
    pub(crate) fn call<'t, 's>(
        &mut self,
        body: &'t Command<'s>,
        mut state: State<'t, 's>,
    ) -> Ways<'t, 's> {
        if self.calls >= MAX_CALLS {
            self.deed(&state, Deed::Opaque { reason: Reason::ShellTooLarge, span: body.span });
            self.widen_everything(&mut state);
            return Ways::both(state);
        }
        self.calls += 1;
        let span = self.span;
        let mut ways = self.command(body, state, None);
        self.span = span;
        self.calls -= 1;
        // A `return` can leave it at any point, so wherever it goes it may stay.
        let mut changes = Changes::default();
        changes.command(body);
        if changes.directory || changes.everything {
            ways.done.lose_places();
            ways.failed.lose_places();
        }
        ways
    }

    /// Walks `[[ … ]]`. Its arithmetic comparisons evaluate, and its file tests look at files.
    fn test<'t, 's>(&mut self, words: &'t [Word<'s>], state: &mut State<'t, 's>) {
        const NUMERIC: [&str; 6] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];
        const FILES: &str = "abcdefghkprstuwxGLNOS";
        let texts: Vec<Text<'s>> = words.iter().map(|word| self.text(word, state)).collect();
        for (index, text) in texts.iter().enumerate() {
            let Some(operator) = text.literal() else { continue };
            let around = |at: Option<usize>| at.and_then(|at| texts.get(at));
            if NUMERIC.contains(&operator) {
                let sides = [around(index.checked_sub(1)), around(index.checked_add(1))];
                for side in sides.into_iter().flatten() {
                    if !is_number(side) {
                        let span = side.span;
                        self.deed(state, Deed::Opaque { reason: Reason::ShellArithmetic, span });
                    }
                }
            }
            // `-v 'a[$(cmd)]'` evaluates the subscript.
            let names = matches!(operator, "-v" | "-R");
            let name = around(index.checked_add(1)).filter(|_| names);
            if let Some(name) =
                name.filter(|name| name.literal().is_none_or(|name| name.contains('[')))
            {
                let span = name.span;
                self.deed(state, Deed::Opaque { reason: Reason::ShellArithmetic, span });
            }
            let file = operator
                .strip_prefix('-')
                .is_some_and(|letter| letter.len() == 1 && FILES.contains(letter));
            let compares = matches!(operator, "-nt" | "-ot" | "-ef");
            let right = around(index.checked_add(1)).filter(|_| file || compares);
            let left = around(index.checked_sub(1)).filter(|_| compares);
            for path in [right, left].into_iter().flatten() {
                self.deed(state, Deed::Read { path: path.clone(), recursive: false });
            }
        }
    }

    /// Sets variables, or judges what a program would see of them.
    pub(crate) fn assignments<'t, 's>(
        &mut self,
        assignments: &'t [Assignment<'s>],
        state: &mut State<'t, 's>,
        for_program: bool,
    ) {
        for assignment in assignments {
            let value = match &assignment.value {
                Some(word) => Some(self.text(word, state)),
                None => {
                    self.arguments(&assignment.array, state);
                    None
                }
            };
            let seen = value.clone().unwrap_or_else(|| {
                let mut text = Text::known("(…)", assignment.span);
                text.open.push(Open { start: 0, end: 5, what: Unknown::Anything });
                text
            });
            self.judge(state, assignment.name, &seen, for_program, assignment.span);
            if for_program {
                continue;
            }
            let value = match value {
                Some(value) if !assignment.append => Value::Known(value),
                _ => Value::Unknown,
            };
            state.set(Cow::Borrowed(assignment.name), known_value(value));
        }
    }

    /// Judges the variables in front of a command. `IFS` in front of `read` is for that alone.
    pub(crate) fn assignments_for<'t, 's>(
        &mut self,
        assignments: &'t [Assignment<'s>],
        state: &mut State<'t, 's>,
        reads: bool,
    ) {
        match assignments {
            [one] if reads && one.name == "IFS" && !one.append => {
                let Some(value) = &one.value else {
                    return self.assignments(assignments, state, true);
                };
                if self.text(value, state).literal() != Some("") {
                    state.stream = None;
                }
            }
            _ => self.assignments(assignments, state, true),
        }
    }

    /// Judges a variable that gets a value, without a state at hand.
    pub(crate) fn assigned(&mut self, name: &str, value: &Text<'_>, exported: bool, span: Span) {
        let state = State::new(Arc::from([]), Stdin::Inherited);
        self.judge(&state, name, value, exported, span);
    }

    /// Judges a variable that gets a value.
    pub(crate) fn judge(
        &mut self,
        state: &State<'_, '_>,
        name: &str,
        value: &Text<'_>,
        exported: bool,
        span: Span,
    ) {
        let exported = exported || self.env.variable(name).is_some();
        let setting =
            if exported { variables::exported(name, value) } else { variables::local(name) };
        match setting {
            Setting::Harmless => {}
            Setting::Accelerators => self.deed(state, Deed::Accelerator { kind: "gpu" }),
            Setting::Harmful => {
                self.deed(state, Deed::Opaque { reason: Reason::ShellEnvironment, span });
            }
        }
    }

    fn redirects<'t, 's>(&mut self, redirects: &'t [Redirect<'s>], state: &mut State<'t, 's>) {
        for redirect in redirects {
            let text = self.text(&redirect.target, state);
            if let Some(variable) = redirect.variable {
                state.set(Cow::Borrowed(variable), Value::Unknown);
                self.assigned(variable, &text, false, redirect.span);
            }
            let glob = redirect.target.parts.iter().any(|part| matches!(part, Part::Glob(_)));
            if glob && !matches!(redirect.operator, Operator::HereDocument | Operator::HereString) {
                // The shell expands it where it finds exactly one name.
                let reason = Reason::ShellDynamicPath;
                self.deed(state, Deed::Opaque { reason, span: redirect.span });
                continue;
            }
            let (reads, writes) = match redirect.operator {
                Operator::Read => (true, false),
                Operator::ReadWrite => (true, true),
                Operator::Write
                | Operator::Clobber
                | Operator::Append
                | Operator::WriteBoth
                | Operator::AppendBoth => (false, true),
                Operator::DuplicateIn | Operator::DuplicateOut => {
                    self.duplicate(redirect, &text, state);
                    continue;
                }
                Operator::HereDocument | Operator::HereString => {
                    state.stdin = Stdin::Text(Rc::new(text));
                    state.stream = None;
                    continue;
                }
            };
            if reads {
                self.deed(state, Deed::Read { path: text.clone(), recursive: false });
            }
            if writes {
                self.deed(state, Deed::Write { path: text.clone(), recursive: false });
            }
            if reads && redirect.descriptor == 0 {
                state.stdin = Stdin::File(Rc::new(text));
                state.stream = None;
            }
        }
    }

    fn duplicate<'t, 's>(
        &mut self,
        redirect: &Redirect<'s>,
        text: &Text<'s>,
        state: &mut State<'t, 's>,
    ) {
        let digits = |text: &str| {
            let text = text.strip_suffix('-').unwrap_or(text);
            text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if redirect.descriptor == 0 {
            state.stdin = Stdin::Piped;
            state.stream = None;
        }
        if !text.literal().is_some_and(digits) {
            // Not a descriptor: a file, as `>&file` means.
            let reason = Reason::ShellDynamicPath;
            self.deed(state, Deed::Opaque { reason, span: redirect.span });
        }
    }
}

/// A value as a variable keeps it: where it is one argument or several is seen when it is used.
pub(crate) fn known_value(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Known(text) if text.open.iter().any(|open| open.what == Unknown::Anything) => {
            Value::Unknown
        }
        other => other,
    }
}

pub(crate) fn number_value<'s>() -> Value<'s> {
    let mut text = Text::known("0", Span::default());
    text.open.push(Open { start: 0, end: 1, what: Unknown::Number });
    Value::Known(text)
}

/// One of many values.
fn any_of<'s>(values: &[Text<'s>]) -> Value<'s> {
    match values {
        [one] if one.open.iter().all(|open| open.what != Unknown::Anything) => {
            Value::Known(Text { many: false, ..one.clone() })
        }
        values if values.iter().all(|value| is_number(value)) => number_value(),
        _ => Value::Unknown,
    }
}
