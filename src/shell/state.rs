//! What is known while a line is walked: variables, functions, where the shell stands.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::shell::deed::{Stdin, Text};
use crate::shell::environment::ShellEnv;
use crate::shell::produced::Stream;
use crate::shell::syntax::Command;
use crate::shell::variables;

/// Room for an ordinary path, so that a buffer seldom grows.
pub(crate) const FEW_BYTES: usize = 128;

/// The most directories that a shell may stand in at one point of a line, before nobody knows.
const MAX_PLACES: usize = 8;

/// The most variables that are tracked; more are unknown.
const MAX_VARIABLES: usize = 256;

/// The directories that the shell may stand in, as it would name them; none: nobody knows.
pub(crate) type Places = Arc<[Box<str>]>;

/// What a variable holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'s> {
    Known(Text<'s>),
    Unset,
    Unknown,
}

/// What is known at one point of a line.
#[derive(Debug, Clone)]
pub(crate) struct State<'t, 's> {
    /// Counted without atomics here: states are cloned all the time, and steps keep the inner one.
    pub(crate) places: Rc<Places>,
    /// Shared by all points between which nothing is set; none: nothing has been set.
    names: Option<Rc<Names<'t, 's>>>,
    /// Whether variables that nobody has set are known to be unset.
    closed: bool,
    pub(crate) stdin: Stdin<'s>,
    /// What the input holds, where it is known to be names.
    pub(crate) stream: Option<Stream>,
}

/// What names stand for.
#[derive(Debug, Clone, Default)]
struct Names<'t, 's> {
    variables: Vec<(Cow<'s, str>, Value<'s>)>,
    /// Whether variables that are not listed may have been changed by the line.
    forgotten: bool,
    functions: Vec<Function<'t, 's>>,
}

static NO_NAMES: Names<'static, 'static> =
    Names { variables: Vec::new(), forgotten: false, functions: Vec::new() };

#[derive(Debug, Clone, Copy)]
pub(crate) struct Function<'t, 's> {
    pub(crate) name: &'s str,
    pub(crate) body: &'t Command<'s>,
    /// Whether it is defined on every way here.
    pub(crate) certain: bool,
}

impl<'t, 's> State<'t, 's> {
    /// Returns the state of a shell that starts in `places`.
    pub(crate) fn new(places: Places, stdin: Stdin<'s>) -> Self {
        Self { places: Rc::new(places), names: None, closed: false, stdin, stream: None }
    }

    fn names(&self) -> &Names<'t, 's> {
        self.names.as_deref().unwrap_or(&NO_NAMES)
    }

    fn names_mut(&mut self) -> &mut Names<'t, 's> {
        Rc::make_mut(self.names.get_or_insert_default())
    }

    /// Notes that variables which nobody has set are unset.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Gives a variable a value.
    pub(crate) fn set(&mut self, name: Cow<'s, str>, value: Value<'s>) {
        let names = self.names_mut();
        if let Some((_, known)) = names.variables.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else if names.variables.len() < MAX_VARIABLES {
            names.variables.push((name, value));
        } else {
            self.forget_all();
        }
    }

    /// Forgets what every variable holds, those of the environment too.
    pub(crate) fn forget_all(&mut self) {
        let names = self.names_mut();
        names.variables.clear();
        names.forgotten = true;
    }

    /// Returns what a variable holds.
    pub(crate) fn get(&self, name: &str, env: &ShellEnv) -> Value<'s> {
        let names = self.names();
        if let Some((_, value)) = names.variables.iter().find(|(known, _)| known == name) {
            return value.clone();
        }
        match env.variable(name) {
            Some(value) if !names.forgotten => {
                Value::Known(Text::known(value.to_owned(), crate::shell::syntax::Span::default()))
            }
            None if self.closed && !names.forgotten && !variables::is_set_by_shell(name) => {
                Value::Unset
            }
            _ => Value::Unknown,
        }
    }

    /// Reports whether the line has given `name` a value.
    pub(crate) fn has_set(&self, name: &str) -> bool {
        let names = self.names();
        names.forgotten || names.variables.iter().any(|(known, _)| known == name)
    }

    /// Returns the function that `name` calls.
    pub(crate) fn function(&self, name: &str) -> Option<Function<'t, 's>> {
        self.names().functions.iter().rev().find(|function| function.name == name).copied()
    }

    /// Reports whether any function is defined.
    pub(crate) fn has_functions(&self) -> bool {
        !self.names().functions.is_empty()
    }

    /// Defines a function; the one of that name before may still be meant where this is not certain.
    pub(crate) fn define(&mut self, name: &'s str, body: &'t Command<'s>) {
        let functions = &mut self.names_mut().functions;
        functions.retain(|function| function.name != name);
        functions.push(Function { name, body, certain: true });
    }

    /// Notes that a function may be gone.
    pub(crate) fn doubt(&mut self, name: &str) {
        if self.function(name).is_none() {
            return;
        }
        let functions = &mut self.names_mut().functions;
        for function in functions.iter_mut().filter(|function| function.name == name) {
            function.certain = false;
        }
    }

    /// Moves to what `path` names.
    pub(crate) fn change_directory(&mut self, path: Option<&str>) {
        if let Some(path) = path.filter(|path| path.starts_with('/')) {
            self.places = Rc::new(Arc::from([enter("", path)]));
            return;
        }
        let moved = path.map(|path| self.places.iter().map(|place| enter(place, path)).collect());
        self.places = Rc::new(moved.unwrap_or_else(|| Arc::from([])));
    }

    /// Forgets where the shell stands.
    pub(crate) fn lose_places(&mut self) {
        self.places = Rc::new(Arc::from([]));
    }

    /// Returns the one directory that the shell stands in.
    pub(crate) fn place(&self) -> Option<&str> {
        match &**self.places {
            [place] => Some(place),
            _ => None,
        }
    }

    /// Takes in what is known on another way to the same point.
    pub(crate) fn join(&mut self, other: &Self) {
        if !Rc::ptr_eq(&self.places, &other.places) && self.places != other.places {
            self.places = Rc::new(join_places(&self.places, &other.places));
        }
        self.closed &= other.closed;
        if self.stream != other.stream {
            self.stream = None;
        }
        let same = match (&self.names, &other.names) {
            (Some(here), Some(there)) => Rc::ptr_eq(here, there),
            (here, there) => here.is_none() && there.is_none(),
        };
        if !same {
            self.names_mut().join(other.names());
        }
    }

    /// Returns every function of `name`, where it is not certain which is meant.
    pub(crate) fn functions_of(&self, name: &str) -> impl Iterator<Item = Function<'t, 's>> {
        self.names().functions.iter().rev().filter(move |function| function.name == name).copied()
    }
}

impl Names<'_, '_> {
    fn join(&mut self, other: &Self) {
        self.forgotten |= other.forgotten;
        for (name, value) in &mut self.variables {
            let there = other.variables.iter().find(|(known, _)| known == name);
            if there.is_none_or(|(_, there)| there != value) {
                *value = Value::Unknown;
            }
        }
        for (name, _) in &other.variables {
            if !self.variables.iter().any(|(known, _)| known == name) {
                self.variables.push((name.clone(), Value::Unknown));
            }
        }
        let same = |one: &Function<'_, '_>, two: &Function<'_, '_>| {
            one.name == two.name && std::ptr::eq(one.body, two.body)
        };
        for function in &mut self.functions {
            function.certain &= other.functions.iter().any(|there| same(function, there));
        }
        for function in &other.functions {
            if !self.functions.iter().any(|here| same(here, function)) {
                // Looked for from the end: what this way has defined stays in reach.
                self.functions.insert(0, Function { certain: false, ..*function });
            }
        }
    }
}

/// Returns the directory that `cd path` leads to from `place`, by name: `cd` takes `..` away from
/// the name that the shell has of its directory, whatever links there are (bash manual, "cd -L").
fn enter(place: &str, path: &str) -> Box<str> {
    let joined = join(place, path);
    if !joined.contains("..") {
        return joined.into();
    }
    let mut names: Vec<&str> = Vec::new();
    for name in joined.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => drop(names.pop()),
            ".." if joined.starts_with('/') => {}
            _ => names.push(name),
        }
    }
    let root = if joined.starts_with('/') { "/" } else { "" };
    format!("{root}{}", names.join("/")).into()
}

fn join(place: &str, path: &str) -> String {
    let mut joined = String::new();
    join_into(&mut joined, place, path);
    joined
}

/// Puts a path behind the directory that it starts at.
pub(crate) fn join_into(joined: &mut String, place: &str, path: &str) {
    joined.clear();
    if !(path.starts_with('/') || place.is_empty() || place == ".") {
        joined.push_str(place);
        if !place.ends_with('/') {
            joined.push('/');
        }
    }
    joined.push_str(path);
}

fn join_places(one: &Places, two: &Places) -> Places {
    if one.is_empty() || two.is_empty() {
        return Arc::from([]);
    }
    let mut all = one.to_vec();
    for place in two.iter() {
        if !all.contains(place) {
            all.push(place.clone());
        }
    }
    if all.len() > MAX_PLACES { Arc::from([]) } else { all.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_entered_by_name() {
        let check = |place: &str, path: &str, expected: &str| {
            assert_eq!(&*enter(place, path), expected, "{place} {path}");
        };
        check("/srv/web", "src", "/srv/web/src");
        check("/srv/web", "..", "/srv");
        check("/srv/web", "../../..", "/");
        check("/srv/web", "link/../x", "/srv/web/x");
        check("/srv/web", "/etc", "/etc");
        check("", "src", "src");
        check("src", "..", "");
        check("", "..", "..");
        check("..", "..", "../..");
        check("/", "etc", "/etc");
    }

    #[test]
    fn what_two_ways_do_not_agree_on_is_unknown() {
        let env = ShellEnv::bash("/srv/web");
        let start = State::new(Arc::from([Box::from("/srv/web")]), Stdin::Inherited);
        let known = |text: &str| Value::Known(Text::known(text.to_owned(), Default::default()));
        let (mut one, mut two) = (start.clone(), start.clone());
        one.set("x".into(), known("a"));
        two.set("x".into(), known("b"));
        one.set("y".into(), known("a"));
        two.set("y".into(), known("a"));
        two.set("PATH".into(), known("/tmp"));
        two.change_directory(Some("/etc"));
        one.join(&two);
        assert_eq!(one.get("x", &env), Value::Unknown);
        assert_eq!(one.get("y", &env), known("a"));
        assert_eq!(one.get("PATH", &env), Value::Unknown);
        assert_eq!(one.places.len(), 2);
    }
}
