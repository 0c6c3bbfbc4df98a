//! `sed`: its script may read, write and run, beside what the operands say.

use std::borrow::Cow;

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text, Unknown};
use crate::shell::syntax::Span;

const OPTIONS: Options = Options {
    rows: &[
        ("e expression", Value),
        ("f file", Value),
        ("i in-place", Attached),
        ("n quiet silent", Nothing),
        ("E r regexp-extended", Nothing),
        ("s separate", Nothing),
        ("z null-data", Nothing),
        ("u unbuffered", Nothing),
        ("b binary", Nothing),
        ("l line-length", Value),
        ("sandbox", Nothing),
        ("posix", Nothing),
        ("debug", Nothing),
        ("follow-symlinks", Nothing),
        ("help", Nothing),
        ("version", Nothing),
    ],
    permute: true,
};

/// Adds what `sed` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut scripts = Vec::new();
    let mut script_files = Vec::new();
    let mut operands = Vec::new();
    let mut in_place = None;
    let mut sandbox = false;
    for item in Reader::new(&OPTIONS, invocation.arguments, invocation.span) {
        match item {
            Item::Option("e", Some(script)) => scripts.push(script),
            Item::Option("f", Some(file)) => script_files.push(file),
            Item::Option("i", suffix) => in_place = Some(suffix),
            Item::Option("sandbox", _) => sandbox = true,
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) => operands.push(operand.clone()),
        }
    }
    let mut operands = operands.into_iter();
    if scripts.is_empty() && script_files.is_empty() {
        scripts.extend(operands.next());
        // Where `-i` wants an argument, `sed -i '' s/a/b/ file`, the script is the next one.
        let empty = scripts.first().is_some_and(|script| script.literal() == Some(""));
        if in_place == Some(None) && empty {
            scripts.extend(operands.clone().next());
        }
    }
    for file in script_files {
        let place = file.clone();
        out.push(Deed::Read { path: file, recursive: false });
        if place.literal() == Some("-") {
            opaque(out, Reason::ShellCodeOnStdin, place.span);
        } else if !sandbox {
            out.push(Deed::WorkspaceCode { place });
        }
    }
    if !sandbox {
        run_scripts(&scripts, invocation.span, out);
    }
    for file in operands {
        if let Some(suffix) = &in_place {
            write_in_place(&file, suffix.as_ref(), out);
        } else if file.literal() != Some("-") {
            out.push(Deed::Read { path: file, recursive: false });
        }
    }
}

/// No system takes a longer name.
const MAX_NAME: usize = 256;

/// `-iSUFFIX`: the file is replaced, and the old one kept under another name.
fn write_in_place<'s>(file: &Text<'s>, suffix: Option<&Text<'s>>, out: &mut Vec<Deed<'s>>) {
    out.push(Deed::Read { path: file.clone(), recursive: false });
    out.push(Deed::Write { path: file.clone(), recursive: false });
    let Some(suffix) = suffix else { return };
    match suffix.literal() {
        // In a suffix, `*` stands for the name and `/` leads to another directory.
        Some(literal) if !literal.contains(['*', '/']) && literal.len() < MAX_NAME => {
            let mut backup = file.clone();
            backup.text.to_mut().push_str(literal);
            out.push(Deed::Write { path: backup, recursive: false });
        }
        _ => opaque(out, Reason::ShellDynamicPath, suffix.span),
    }
}

/// Reads all scripts as one: each `-e` is a line of its own.
fn run_scripts<'s>(scripts: &[Text<'s>], span: Span, out: &mut Vec<Deed<'s>>) {
    let mut whole = String::new();
    let mut numbers = false;
    for script in scripts {
        let only_numbers = script.open.iter().all(|open| open.what == Unknown::Number);
        if script.many || !only_numbers {
            return opaque(out, Reason::ShellInnerLanguage, script.span);
        }
        let mut at = 0;
        for open in &script.open {
            whole.push_str(script.text.get(at..open.start as usize).unwrap_or_default());
            whole.push('7');
            at = open.end as usize;
            numbers = true;
        }
        whole.push_str(script.text.get(at..).unwrap_or_default());
        whole.push('\n');
    }
    let span = scripts.first().map_or(span, |script| script.span);
    let last_file = whole.rfind(['w', 'W']).map_or(0, |at| at + 1);
    let mut parser = Parser { script: &whole, at: 0, numbers, last_file, span, deeds: Vec::new() };
    let understood = parser.parse();
    // What was read before the doubt is a fact all the same.
    let deeds = parser.deeds;
    out.extend(deeds);
    if understood.is_none() {
        opaque(out, Reason::ShellInnerLanguage, span);
    }
}

/// Reads a script as GNU `sed` does. Blocks and labels need not balance: `sed` refuses those that do
/// not before it runs anything.
struct Parser<'t, 's> {
    script: &'t str,
    at: usize,
    /// Some digits stand for numbers that are not known.
    numbers: bool,
    /// Behind the last letter that may name a file to write.
    last_file: usize,
    span: Span,
    deeds: Vec<Deed<'s>>,
}

impl Parser<'_, '_> {
    fn parse(&mut self) -> Option<()> {
        loop {
            while self.peek().is_some_and(|c| c == ';' || c.is_ascii_whitespace()) {
                self.next();
            }
            if self.peek().is_none() {
                return Some(());
            }
            self.addresses()?;
            self.command()?;
        }
    }

    fn addresses(&mut self) -> Option<()> {
        if self.address(false)? {
            self.blanks();
            if self.accept(',') {
                self.blanks();
                self.address(true)?.then_some(())?;
            }
        }
        self.blanks();
        if self.accept('!') {
            self.blanks();
        }
        Some(())
    }

    /// Reads an address if there is one.
    fn address(&mut self, second: bool) -> Option<bool> {
        match self.peek() {
            Some('/') => {
                self.next();
                self.regex('/')?;
                self.address_flags();
            }
            Some('\\') => {
                self.next();
                let delimiter = self.delimiter()?;
                self.regex(delimiter)?;
                self.address_flags();
            }
            Some('$') => {
                self.next();
            }
            Some('+' | '~') if second => {
                self.next();
                self.number().then_some(())?;
            }
            Some('0'..='9') => {
                self.number();
                self.blanks();
                if self.accept('~') {
                    self.blanks();
                    self.number();
                }
            }
            _ => return Some(false),
        }
        Some(true)
    }

    fn address_flags(&mut self) {
        self.blanks();
        while matches!(self.peek(), Some('I' | 'M')) {
            self.next();
            self.blanks();
        }
    }

    fn command(&mut self) -> Option<()> {
        match self.next()? {
            '#' => self.line(),
            // The command behind it need not be separated.
            '{' => return Some(()),
            '}' | '=' | 'd' | 'D' | 'F' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x'
            | 'z' => return self.end(),
            'q' | 'Q' | 'l' | 'L' => {
                self.blanks();
                self.number();
                return self.end();
            }
            ':' | 'b' | 't' | 'T' | 'v' => self.label(),
            'a' | 'i' | 'c' => self.text().map(drop)?,
            'e' => self.execute()?,
            'r' | 'R' => {
                let path = self.file_name()?;
                if path.literal() != Some("/dev/stdin") {
                    self.deeds.push(Deed::Read { path, recursive: false });
                }
            }
            'w' | 'W' => self.write()?,
            's' => return self.substitute(),
            'y' => {
                let delimiter = self.delimiter()?;
                self.delimited(delimiter)?;
                self.delimited(delimiter)?;
                return self.end();
            }
            _ => return None,
        }
        Some(())
    }

    /// What may follow a command without an argument.
    fn end(&mut self) -> Option<()> {
        self.blanks();
        matches!(self.peek(), None | Some('\n' | ';' | '}' | '#')).then_some(())
    }

    /// A label ends at a blank or `;`. Some versions let `}` end it, and others none of them; both
    /// find fewer commands than are found here, or fail.
    fn label(&mut self) {
        self.blanks();
        while self.peek().is_some_and(|c| !c.is_ascii_whitespace() && c != ';' && c != '}') {
            self.next();
        }
    }

    /// `a`, `i`, `c`: text up to a line break without a backslash in front.
    fn text(&mut self) -> Option<String> {
        self.blanks();
        if self.accept('\\') {
            self.blanks();
            // Whether the second of two backslashes still escapes depends on the version.
            (self.peek() != Some('\\')).then_some(())?;
            self.accept('\n');
        }
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                '\n' => break,
                '\\' => text.extend(self.next()),
                c => text.push(c),
            }
        }
        Some(text)
    }

    /// `e`: runs its text, or without one what was read from the input.
    fn execute(&mut self) -> Option<()> {
        self.blanks();
        let line = self.script.get(self.at..)?.split('\n').next()?;
        if line.is_empty() || line.contains('\\') || self.numbers {
            return None;
        }
        let script = Text::known(line.to_owned(), self.span);
        self.line();
        self.deeds.push(Deed::Shell { script, login: false });
        Some(())
    }

    fn write(&mut self) -> Option<()> {
        let path = self.file_name()?;
        if !matches!(path.literal(), Some("/dev/stdout" | "/dev/stderr")) {
            self.deeds.push(Deed::Write { path, recursive: false });
        }
        Some(())
    }

    /// A file name is the rest of the line, `;` and `}` included.
    fn file_name<'r>(&mut self) -> Option<Text<'r>> {
        self.blanks();
        let name = self.script.get(self.at..)?.split('\n').next()?.to_owned();
        self.line();
        (!name.is_empty() && !self.numbers).then(|| Text::known(Cow::Owned(name), self.span))
    }

    fn substitute(&mut self) -> Option<()> {
        let delimiter = self.delimiter()?;
        self.regex(delimiter)?;
        self.delimited(delimiter)?;
        loop {
            self.blanks();
            match self.peek() {
                Some('g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9') => {
                    self.next();
                }
                Some('w') => {
                    self.next();
                    return self.write();
                }
                // `e` runs the result.
                None | Some('\n' | ';' | '}' | '#') => return Some(()),
                Some(_) => return None,
            }
        }
    }

    fn delimiter(&mut self) -> Option<char> {
        let delimiter = self.next().filter(|c| c.is_ascii() && !"\\\n[]".contains(*c))?;
        (!self.numbers || !delimiter.is_ascii_digit()).then_some(delimiter)
    }

    /// Reads a regular expression. Where a delimiter in brackets ends it, its brackets stay open and
    /// `sed` fails, but not before it has made the files that `w` names.
    fn regex(&mut self, delimiter: char) -> Option<()> {
        let rest = self.script.get(self.at..)?;
        let (length, depends) = regex_length(rest, delimiter)?;
        let regex = rest.get(..length)?;
        if ends_in_brackets(regex, false, true) || (depends && self.last_file > self.at) {
            return None;
        }
        self.at += length + delimiter.len_utf8();
        Some(())
    }

    /// Reads up to a delimiter without a backslash in front, which must stand before a line break.
    fn delimited(&mut self, delimiter: char) -> Option<()> {
        loop {
            match self.next()? {
                '\\' => {
                    self.next()?;
                }
                c if c == delimiter => return Some(()),
                '\n' => return None,
                _ => {}
            }
        }
    }

    fn number(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.next();
        }
        self.at > start
    }

    fn line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.next();
        }
    }

    fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn peek(&self) -> Option<char> {
        self.script.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }
}

/// Returns the length of a regular expression up to its delimiter, and whether that depends on `sed`
/// or `awk` passing over a delimiter in brackets. They do so in brackets that are plain; others are
/// not looked into, and the caller checks that they are closed.
pub(super) fn regex_length(text: &str, delimiter: char) -> Option<(usize, bool)> {
    let mut depends = false;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let c = rest.chars().next()?;
        at += match c {
            '\n' => return None,
            '\\' => 1 + rest.chars().nth(1)?.len_utf8(),
            c if c == delimiter => return Some((at, depends)),
            '[' => match plain_brackets(rest) {
                Some(brackets) => {
                    depends |= brackets.contains(delimiter);
                    brackets.len()
                }
                None => 1,
            },
            c => c.len_utf8(),
        };
    }
}

/// Returns the brackets that `text` begins with if every language sees the same end of them.
fn plain_brackets(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let inner = inner.strip_prefix('^').unwrap_or(inner);
    let length = inner.find([']', '[', '\\', '\n']).filter(|length| *length > 0)?;
    inner.get(length..)?.starts_with(']').then_some(())?;
    text.get(..text.len() - inner.len() + length + 1)
}

/// Reports whether a regular expression ends inside of `[…]`. Languages differ in whether a backslash
/// `escapes` in there, and in whether a `]` that comes first stands for itself (`leading`).
pub(super) fn ends_in_brackets(regex: &str, escapes: bool, leading: bool) -> bool {
    let mut chars = regex.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' {
            chars.next();
        }
        if c != '[' {
            continue;
        }
        chars.next_if_eq(&'^');
        if leading {
            chars.next_if_eq(&']');
        }
        loop {
            match chars.next() {
                None => return true,
                Some(']') => break,
                Some('\\') if escapes => drop(chars.next()),
                // `[:alpha:]`, `[.x.]`, `[=x=]`.
                Some('[') => {
                    let Some(class) = chars.next_if(|c| ":.=".contains(*c)) else { continue };
                    let mut last = ' ';
                    loop {
                        match chars.next() {
                            None => return true,
                            Some(']') if last == class => break,
                            Some(c) => last = c,
                        }
                    }
                }
                Some(_) => {}
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    fn check_script(script: &str, expected: &str) {
        assert!(!script.contains('\''));
        check(&format!("sed '{script}'"), expected);
    }

    #[test]
    fn operands_and_options() {
        check("sed p", "");
        check("sed -n 1,5p a b", "read a; read b");
        check("sed -ne p -e d - a", "read a");
        check("sed -E -i s/a/b/ a b", "read a; write a; read b; write b");
        check("sed -i.bak s/a/b/ a", "read a; write a; write a.bak");
        check("sed -ni p *.c", "!dynamic_argument");
        check("sed -i p ./*.c", "read ./<glob>.c; write ./<glob>.c");
        check("sed --in-place=~ p a", "read a; write a; write a~");
        check("sed -ibak/* p a", "read a; write a; !dynamic_path");
        check("sed '-ibak/*' p a", "read a; write a; !dynamic_path");
        check("sed a\\\\ -i x", "read x; write x");
        check("sed -i '' s/a/b/ f", "read s/a/b/; write s/a/b/; read f; write f");
        check(
            "sed -i '' s/a/b/e f",
            "!inner_language; read s/a/b/e; write s/a/b/e; read f; write f",
        );
        check("sed -f x.sed a", "read x.sed; workspace-code x.sed; read a");
        check("sed --sandbox -f x.sed a", "read x.sed; read a");
        check("sed --sandbox \"s/$x/y/e\" a", "read a");
        check("sed -- p -n", "read -n");
        check("sed --express=p a", "!unknown_option");
    }

    #[test]
    fn scripts_that_do_nothing_else() {
        for script in [
            "s/a/b/",
            "s/a/b/g;s|x|y|2p ; s,/,#,",
            "s/[^/]*$//",
            "s/\\/[^\\/]*$//",
            "/^#/d",
            "/a/,/b/{/c/!d;s/x/y/}",
            "$!N;P;D",
            ":a;N;$!ba;s/\\n/ /g",
            "1~2d;2,~4p;0,/x/I s/a/b/;5,+3!p",
            "\\%/usr%,\\,x,Id",
            "y/abc/xyz/;q5",
            "a foo; w /etc/x",
            "a\\\n  text\\\nmore\np",
            "1i hello\n$a\\\nbye",
            "{p;b};n;b end;t;T x\n:end",
            "/x/{n;p}",
            "# w comment\np # w x",
            "s/a/\\\n/",
            "=;l 5;F;z;x;G",
            "$=",
            "",
            "s/x/[/p",
            "w /dev/stdout",
        ] {
            check_script(script, "");
        }
        check("sed \"$n,${n}p\"", "!inner_language");
        check("sed \"$n\"p", "");
        check("sed \"1,$n\"d f", "read f");
    }

    #[test]
    fn scripts_that_read_and_write() {
        check_script("w out", "write out");
        check_script("s/a/b/w out;p}", "write out;p}");
        check_script("s/a/b/gpw /etc/x\nr y\nR z", "write /etc/x; read y; read z");
        check_script("/a/W x", "write x");
        check_script("1{r /etc/passwd\n}", "read /etc/passwd");
        check("sed -e 'w a' -e 'w b' c", "write a; write b; read c");
        check("sed -n '/x/w /etc/passwd' f", "write /etc/passwd; read f");
        check("sed -e 'a\\' -e 'w x' -e 'w y'", "write y");
    }

    #[test]
    fn scripts_that_run() {
        check_script("e id", "shell `id`");
        check_script("s/[/]/x/;e id", "shell `id`");
        check_script("1e touch x", "shell `touch x`");
        check_script("/a/,$!e id;p", "shell `id;p`");
        for script in [
            "e",
            "1e",
            "s/a/b/e",
            "s/test/touch \\/tmp\\/pwned/e",
            "s/a/b/ge",
            "s/a/b/ e",
            "s/a/b/2pe",
            "s/.*/id/e;p",
            "s|a|b|e",
            "s\ta\tb\te",
            "sxaxbxe",
            "s\\a\\b\\e",
            "/x/s//id/e",
            "{s/a/b/e}",
            "p;p;s/a/b/Ie",
            "a\\\\\ne id",
            "s/[^/]x/w /etc/x",
            "s/[]/]/x/",
            "s/[[:alpha:]/]/x/",
            "s/[\\]/]/x/",
            "s/a/b",
            "s/a\n/b/",
            "k",
            "p p",
            "sébéaée",
            "+3p",
            "y/a/b",
            "e \\\nid",
            "r",
        ] {
            check_opaque(&format!("sed '{script}'"));
        }
    }

    #[test]
    fn dynamic_scripts_are_opaque() {
        for line in [
            "sed \"s/$x/y/\"",
            "sed \"$x\"",
            "sed $x",
            "sed -e \"$x\" f",
            "sed s/a*/b/ f",
            "sed \"s$n\"a",
            "sed \"w $n\"",
            "sed -n$x p",
            "sed \"$x\" p",
            "sed p $x",
        ] {
            check_opaque(line);
        }
    }
}
