//! What is declared of the shell that will run a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::shell::programs::Programs;
use crate::shell::state::Places;

/// Which shell a line is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// GNU bash, version 4.4 or later, and whatever reads the same line in the same way.
    #[default]
    Bash,
    /// Any other: its lines are opaque as a whole.
    Other,
}

/// What a host declares of the shell that will run a line: its kind, working directory, environment.
///
/// Cloning it copies a pointer.
///
/// # Security
///
/// The effects of a line are those that it has in the declared environment. The permit hands out a
/// command that has exactly this environment; a host that runs the line in another way answers for
/// the difference. A variable that is not declared may have any value.
#[derive(Debug, Clone)]
pub struct ShellEnv {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    dialect: Dialect,
    program: String,
    /// The working directory, as the walk of a line starts with it.
    places: Places,
    home: Option<String>,
    variables: BTreeMap<String, String>,
    profile_harmless: bool,
    plain_names: bool,
    closed: bool,
    roots: Vec<String>,
    input: bool,
    remotes: BTreeMap<String, (String, u16)>,
    programs: Programs,
}

impl ShellEnv {
    /// Declares bash, found as `/bin/bash`, that starts in `working_directory`: an absolute path, or
    /// one that starts at the workspace of the scope.
    ///
    /// Nothing else is declared: no home, and an environment that holds `PATH` alone.
    #[must_use]
    pub fn bash(working_directory: impl Into<String>) -> Self {
        let variables = BTreeMap::from([("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
        let inner = Inner {
            dialect: Dialect::Bash,
            program: "/bin/bash".to_owned(),
            places: Arc::from([working_directory.into().into_boxed_str()]),
            home: None,
            variables,
            profile_harmless: false,
            plain_names: false,
            closed: false,
            roots: Vec::new(),
            input: false,
            remotes: BTreeMap::new(),
            programs: Programs::built_in(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Declares another shell: every line is opaque.
    #[must_use]
    pub fn other(working_directory: impl Into<String>) -> Self {
        let mut env = Self::bash(working_directory);
        env.change().dialect = Dialect::Other;
        env
    }

    /// Sets the directory that the shell starts in.
    #[must_use]
    pub fn with_working_directory(mut self, directory: impl Into<String>) -> Self {
        self.change().places = Arc::from([directory.into().into_boxed_str()]);
        self
    }

    /// Declares where the shell itself is.
    #[must_use]
    pub fn with_shell_at(mut self, program: impl Into<String>) -> Self {
        self.change().program = program.into();
        self
    }

    /// Declares the home directory, an absolute path; it becomes `HOME`.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<String>) -> Self {
        let home = home.into();
        let inner = self.change();
        inner.variables.insert("HOME".to_owned(), home.clone());
        inner.home = Some(home);
        self
    }

    /// Declares a variable of the environment that the shell and its programs get.
    ///
    /// # Security
    ///
    /// It must come from the host: variables such as `LD_PRELOAD` change what every program does.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change().variables.insert(name.into(), value.into());
        self
    }

    /// Declares that start-up files, which a login or interactive shell reads, do nothing of note.
    #[must_use]
    pub fn with_harmless_profile(mut self) -> Self {
        self.change().profile_harmless = true;
        self
    }

    /// Declares that no name below the workspace holds a blank, a quote, a backslash or a control
    /// character, or begins with a dash or two dots.
    ///
    /// Lines such as `find . -name '*.c' | xargs wc -l` are taken apart at blanks: with it they reach
    /// what `find` prints and nothing else.
    ///
    /// # Security
    ///
    /// A file called `x /etc/passwd` makes such a line reach `/etc/passwd`. Whoever may create
    /// names, the agent included, must not be able to create such a one; a line that itself writes one
    /// and relies on this is opaque.
    #[must_use]
    pub fn with_plain_names(mut self) -> Self {
        self.change().plain_names = true;
        self
    }

    /// Declares that the environment holds what was declared and nothing else, as it does for the command
    /// that a permit hands out: a variable that is not declared is unset, and expands to nothing.
    ///
    /// # Security
    ///
    /// A line that is run with more variables than were declared does something else than was decided.
    #[must_use]
    pub fn with_no_other_variables(mut self) -> Self {
        self.change().closed = true;
        self
    }

    /// Declares another directory that belongs to the task as the workspace does: what is declared of
    /// names holds below it, and what is deleted there comes back from where it came.
    #[must_use]
    pub fn with_root(mut self, directory: impl Into<String>) -> Self {
        self.change().roots.push(directory.into());
        self
    }

    /// Declares that the shell gets an input, of which nothing is known. Without it the input is empty.
    #[must_use]
    pub fn with_input(mut self) -> Self {
        self.change().input = true;
        self
    }

    /// Declares where a remote that the line names leads, such as `origin` of the repository.
    #[must_use]
    pub fn with_remote(
        mut self,
        name: impl Into<String>,
        host: impl Into<String>,
        port: u16,
    ) -> Self {
        self.change().remotes.insert(name.into(), (host.into(), port));
        self
    }

    /// Sets the table of programs, to which a host can add lines of its own.
    #[must_use]
    pub fn with_programs(mut self, programs: Programs) -> Self {
        self.change().programs = programs;
        self
    }

    /// Returns which shell it is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    /// Returns where the shell is.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.inner.program
    }

    /// Returns the directory that the shell starts in.
    #[must_use]
    pub fn working_directory(&self) -> &str {
        self.inner.places.first().map_or("", |place| place)
    }

    pub(crate) fn places(&self) -> Places {
        Arc::clone(&self.inner.places)
    }

    /// Returns the home directory.
    #[must_use]
    pub fn home(&self) -> Option<&str> {
        self.inner.home.as_deref()
    }

    /// Iterates over the declared variables, sorted by name.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.inner.variables.get(name).map(String::as_str)
    }

    pub(crate) fn has_harmless_profile(&self) -> bool {
        self.inner.profile_harmless
    }

    pub(crate) fn roots(&self) -> &[String] {
        &self.inner.roots
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.inner.closed
    }

    pub(crate) fn has_input(&self) -> bool {
        self.inner.input
    }

    pub(crate) fn has_plain_names(&self) -> bool {
        self.inner.plain_names
    }

    pub(crate) fn remote(&self, name: &str) -> Option<(&str, u16)> {
        self.inner.remotes.get(name).map(|(host, port)| (host.as_str(), *port))
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.inner.programs
    }

    fn change(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.inner)
    }
}

/// Where programs are looked for when nothing else is declared.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
