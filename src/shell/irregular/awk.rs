//! `awk`: its program may run commands, and read and write files, beside what the operands say.

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, opaque};
use super::sed::{ends_in_brackets, regex_length};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text, Unknown};
use crate::shell::syntax::Span;

const OPTIONS: Options = Options {
    rows: &[
        ("F field-separator", Value),
        ("v assign", Value),
        ("f file", Value),
        ("e source", Value),
        ("i include", Value),
        ("l load", Value),
        ("S sandbox", Nothing),
        ("b characters-as-bytes", Nothing),
        ("c traditional", Nothing),
        ("C copyright", Nothing),
        ("g gen-pot", Nothing),
        ("I trace", Nothing),
        ("k csv", Nothing),
        ("L lint", Attached),
        ("M bignum", Nothing),
        ("n non-decimal-data", Nothing),
        ("N use-lc-numeric", Nothing),
        ("O optimize", Nothing),
        ("P posix", Nothing),
        ("r re-interval", Nothing),
        ("s no-optimize", Nothing),
        ("t lint-old", Nothing),
        ("h help", Nothing),
        ("V version", Nothing),
    ],
    permute: false,
};

/// Adds what `awk` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut programs = Vec::new();
    let mut has_program = false;
    let mut sandbox = false;
    let mut in_place = false;
    let mut operands: Vec<Text<'s>> = Vec::new();
    let mut reader = Reader::new(&OPTIONS, invocation.arguments, invocation.span);
    while let Some(item) = reader.next() {
        match item {
            Item::Option("e", Some(program)) => {
                has_program = true;
                programs.push(program);
            }
            Item::Option(name @ ("f" | "i"), Some(file)) => {
                has_program |= name == "f";
                in_place |= name == "i" && file.starts_with("inplace");
                if file.literal() == Some("-") {
                    opaque(out, Reason::ShellCodeOnStdin, file.span);
                }
                out.push(Deed::Read { path: file.clone(), recursive: false });
                out.push(Deed::WorkspaceCode { place: file });
            }
            Item::Option("l", _) => opaque(out, Reason::ShellForeignCode, invocation.span),
            Item::Option("v", Some(assignment)) => check_assignment(&assignment, out),
            Item::Option("S", _) => sandbox = true,
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(first) => {
                operands.push(first.clone());
                operands.extend_from_slice(reader.rest());
                break;
            }
        }
    }
    let mut operands = operands.into_iter();
    if !has_program {
        programs.extend(operands.next());
    }
    // Only GNU's has a sandbox; elsewhere `-S` may not be an option at all.
    let sandbox = sandbox && invocation.name == "gawk";
    for program in programs.iter().filter(|_| !sandbox) {
        run_program(program, out);
    }
    for operand in operands {
        let assigns = operand.split_once('=').is_some_and(|(name, _)| is_name(name));
        if assigns || matches!(operand.literal(), Some("-" | "")) {
            continue;
        }
        // GNU's opens a connection.
        if operand.starts_with("/inet") {
            opaque(out, Reason::ShellNetwork, operand.span);
        }
        if in_place {
            out.push(Deed::Write { path: operand.clone(), recursive: false });
        }
        out.push(Deed::Read { path: operand, recursive: false });
    }
}

/// `-v name=value`: the value is data, but which variable it is must be known.
fn check_assignment(assignment: &Text<'_>, out: &mut Vec<Deed<'_>>) {
    let known = assignment.split_once('=').is_some_and(|(name, _)| is_name(name));
    if !known || assignment.many {
        opaque(out, Reason::ShellDynamicArgument, assignment.span);
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn run_program<'s>(program: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    let numbers = program.open.iter().all(|open| open.what == Unknown::Number);
    if program.many || !numbers {
        return opaque(out, Reason::ShellInnerLanguage, program.span);
    }
    let mut text = String::with_capacity(program.text.len());
    let mut at = 0;
    for open in &program.open {
        text.push_str(program.text.get(at..open.start as usize).unwrap_or_default());
        text.push('7');
        at = open.end as usize;
    }
    text.push_str(program.text.get(at..).unwrap_or_default());
    let before = out.len();
    let understood = match lex(&text) {
        Some(tokens) => Scan { tokens: &tokens, span: program.span, out }.run(),
        None => None,
    };
    let names_files = out.len() > before && !program.open.is_empty();
    // What a program writes into these, the commands that it runs find in their environment.
    let environment = text.contains("ENVIRON") || text.contains("PROCINFO");
    let runs = out.iter().skip(before).any(|deed| matches!(deed, Deed::Shell { .. }));
    if understood.is_none() || names_files || (environment && runs) {
        opaque(out, Reason::ShellInnerLanguage, program.span);
    }
}

/// One piece of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    Number,
    /// Without quotes. None where it holds escapes that differ between versions.
    String(Option<String>),
    Regex,
    Symbol(&'t str),
    Line,
}

/// Splits a program. Whether `/` divides or begins a regular expression is told by what stands before
/// it; where that is not enough, the program is not understood.
fn lex(program: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    // For each open parenthesis, whether it belongs to `if`, `while`, `for` or `switch`.
    let mut parentheses: Vec<bool> = Vec::new();
    let mut closed_head = false;
    let mut at = 0;
    while let Some(c) = program.get(at..)?.chars().next() {
        let rest = program.get(at..)?;
        let head = std::mem::take(&mut closed_head);
        let (token, length) = match c {
            ' ' | '\t' => {
                closed_head = head;
                at += 1;
                continue;
            }
            '\\' => {
                rest.starts_with("\\\n").then_some(())?;
                closed_head = head;
                at += 2;
                continue;
            }
            '#' => {
                closed_head = head;
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '\n' => (Token::Line, 1),
            '"' => string(rest)?,
            '/' if head => return None,
            '/' if begins_regex(tokens.last())? => (Token::Regex, regex(rest)?),
            '0'..='9' | '.' => (Token::Number, number(rest)?),
            'a'..='z' | 'A'..='Z' | '_' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                (Token::Name(rest.get(..length)?), length)
            }
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol))?;
                (Token::Symbol(rest.get(..symbol.len())?), symbol.len())
            }
        };
        match token {
            Token::Symbol("(") => {
                let head =
                    matches!(tokens.last(), Some(Token::Name("if" | "while" | "for" | "switch")));
                parentheses.push(head);
            }
            Token::Symbol(")") => closed_head = parentheses.pop()?,
            _ => {}
        }
        tokens.push(token);
        at += length;
    }
    Some(tokens)
}

/// Longest first. `@` is left out: indirect calls, `@load`, `@include`.
const SYMBOLS: [&str; 43] = [
    "**=", "|&", "||", "&&", "==", "!=", "<=", ">=", ">>", "+=", "-=", "*=", "/=", "%=", "^=",
    "**", "++", "--", "!~", "!", "~", "<", ">", "|", "+", "-", "*", "/", "%", "^", "=", "?", ":",
    ",", ";", "(", ")", "[", "]", "{", "}", "$", "&",
];

/// Returns a string and its length with quotes.
fn string<'t>(text: &str) -> Option<(Token<'t>, usize)> {
    let mut value = Some(String::new());
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Token::String(value), at + 1)),
            '\n' => return None,
            '\\' => match chars.next()?.1 {
                // Some versions go on in the next line, and others do not.
                '\n' => return None,
                escaped @ ('"' | '\\' | '/') => {
                    if let Some(value) = &mut value {
                        value.push(escaped);
                    }
                }
                _ => value = None,
            },
            c => {
                if let Some(value) = &mut value {
                    value.push(c);
                }
            }
        }
    }
    None
}

/// Returns the length of a regular expression with its slashes. Where a slash in brackets ends it, its
/// brackets stay open and `awk` fails before it runs anything.
fn regex(text: &str) -> Option<usize> {
    let inner = text.get(1..)?;
    let (length, _) = regex_length(inner, '/')?;
    let body = inner.get(..length)?;
    let readings = [(false, false), (false, true), (true, false), (true, true)];
    let open = |(escapes, leading)| ends_in_brackets(body, escapes, leading);
    (!readings.into_iter().any(open)).then_some(length + 2)
}

fn number(text: &str) -> Option<usize> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mantissa = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let rest = text.get(mantissa..)?;
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else { return Some(mantissa) };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    // `1e` is a number and a name.
    Some(if length == 0 { mantissa } else { text.len() - digits.len() + length })
}

/// Reports whether a slash behind `last` begins a regular expression. None if that is not clear.
fn begins_regex(last: Option<&Token<'_>>) -> Option<bool> {
    Some(match last {
        None | Some(Token::Line) => true,
        Some(Token::Name(name)) => match *name {
            "print" | "printf" | "return" | "case" | "do" | "else" => true,
            // `length /x/` divides in one version and is a regular expression in another.
            "length" | "getline" | "in" | "exit" | "delete" | "next" | "nextfile" | "func"
            | "function" | "BEGIN" | "END" | "BEGINFILE" | "ENDFILE" | "break" | "continue"
            | "while" | "for" | "if" | "switch" | "default" => return None,
            _ => false,
        },
        Some(Token::Number | Token::String(_) | Token::Regex) => false,
        Some(Token::Symbol(")" | "]")) => false,
        // `x++ / 2`, but also `++/x/`, which no version takes.
        Some(Token::Symbol("++" | "--" | "$")) => return None,
        Some(Token::Symbol(_)) => true,
    })
}

/// Looks for what leaves the program.
struct Scan<'t, 's, 'o> {
    tokens: &'t [Token<'t>],
    span: Span,
    out: &'o mut Vec<Deed<'s>>,
}

impl<'t, 's> Scan<'t, 's, '_> {
    fn run(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        // How deep the `print` stands whose `>` and `|` would send it elsewhere.
        let mut print: Option<usize> = None;
        // The same for a `getline` and its `<`.
        let mut getline: Option<usize> = None;
        for (at, token) in self.tokens.iter().enumerate() {
            match token {
                Token::Name("print" | "printf") => print = Some(depth),
                Token::Name("getline") => getline = Some(depth),
                Token::Name("system") => self.system(at)?,
                // What is read next may be changed through these.
                Token::Name("ARGV" | "ARGC") if self.may_change(at) => return None,
                Token::Name("SYMTAB") => return None,
                Token::Symbol("(" | "[") => depth += 1,
                Token::Symbol(")" | "]") => {
                    depth = depth.checked_sub(1)?;
                    getline = getline.filter(|level| *level <= depth);
                    // A `print` cannot end here.
                    if print.is_some_and(|level| level > depth) {
                        return None;
                    }
                }
                Token::Symbol(";" | "{" | "}") => {
                    // `for (;;)` has them inside.
                    if print.is_some_and(|level| level != depth) {
                        return None;
                    }
                    (print, getline) = (None, None);
                }
                Token::Line if self.ends_statement(at) => (print, getline) = (None, None),
                Token::Symbol(">" | ">>") if print == Some(depth) => {
                    let target = self.literal(at + 1)?;
                    self.write(target)?;
                }
                Token::Symbol("<") if getline.is_some() => {
                    let source = self.literal_primary(at + 1)?;
                    self.read(source)?;
                    getline = None;
                }
                Token::Symbol("|") => {
                    let command = if self.tokens.get(at + 1) == Some(&Token::Name("getline")) {
                        // `print "a" | getline`: versions differ in what is piped.
                        print.is_none().then_some(())?;
                        self.literal_before(at)?
                    } else {
                        (print == Some(depth)).then_some(())?;
                        self.literal(at + 1)?
                    };
                    let script = Text::known(command.to_owned(), self.span);
                    self.out.push(Deed::Shell { script, login: false });
                }
                Token::Symbol("|&" | "&") => return None,
                _ => {}
            }
        }
        Some(())
    }

    fn previous(&self, at: usize) -> Option<&'t Token<'t>> {
        self.tokens.get(at.checked_sub(1)?)
    }

    /// `system("…")` with nothing else inside.
    fn system(&mut self, at: usize) -> Option<()> {
        let tokens = self.tokens.get(at + 1..at + 4)?;
        let [Token::Symbol("("), Token::String(Some(command)), Token::Symbol(")")] = tokens else {
            return None;
        };
        let script = Text::known(command.clone(), self.span);
        self.out.push(Deed::Shell { script, login: false });
        Some(())
    }

    /// Reports whether a line break ends a statement: it does unless an operand must follow.
    fn ends_statement(&self, at: usize) -> bool {
        match self.previous(at) {
            Some(Token::Symbol(symbol)) => {
                matches!(*symbol, ")" | "]" | "}" | "{" | ";" | "++" | "--")
            }
            _ => true,
        }
    }

    /// Returns the string that is the whole target of a redirection in `print`.
    fn literal(&self, at: usize) -> Option<&'t str> {
        let Token::String(Some(target)) = self.tokens.get(at)? else { return None };
        let ends =
            matches!(self.tokens.get(at + 1), None | Some(Token::Line | Token::Symbol(";" | "}")));
        ends.then_some(target)
    }

    /// `getline < "file"` takes one string, and what follows belongs to the expression around it.
    fn literal_primary(&self, at: usize) -> Option<&'t str> {
        let Token::String(Some(source)) = self.tokens.get(at)? else { return None };
        let ends = matches!(
            self.tokens.get(at + 1),
            None | Some(
                Token::Line | Token::Symbol(";" | "}" | ")" | ">" | "<" | "==" | "!=" | ">=")
            )
        );
        ends.then_some(source)
    }

    /// `"command" | getline` where nothing is glued to the string.
    fn literal_before(&self, at: usize) -> Option<&'t str> {
        let Token::String(Some(command)) = self.previous(at)? else { return None };
        let begins = match self.tokens.get(..at.checked_sub(1)?)?.last() {
            None | Some(Token::Line) => true,
            Some(Token::Symbol(symbol)) => {
                matches!(*symbol, "(" | "{" | "}" | ";" | "&&" | "||" | "!")
            }
            Some(_) => false,
        };
        begins.then_some(command)
    }

    /// Reports whether `ARGV` or `ARGC` is more than looked at: only `ARGV[…]` and `ARGC` between
    /// symbols that compare, add or print.
    fn may_change(&self, at: usize) -> bool {
        let before = self.previous(at);
        let looked = match self.tokens.get(at) {
            Some(Token::Name("ARGV")) => {
                let Some([Token::Symbol("["), Token::Number | Token::Name(_), Token::Symbol("]")]) =
                    self.tokens.get(at + 1..at + 4)
                else {
                    return true;
                };
                self.tokens.get(at + 4)
            }
            _ => self.tokens.get(at + 1),
        };
        let before_fits = match before {
            None | Some(Token::Line | Token::Name("print")) => true,
            Some(Token::Symbol(symbol)) => {
                matches!(*symbol, "<" | ">" | "==" | "!=" | "<=" | ">=" | "=" | "{")
            }
            Some(_) => false,
        };
        let behind_fits = match looked {
            None | Some(Token::Line | Token::Number | Token::String(_)) => true,
            Some(Token::Symbol(symbol)) => {
                matches!(
                    *symbol,
                    ")" | ";" | "}" | "<" | ">" | "==" | "!=" | "<=" | ">=" | "-" | "+"
                )
            }
            Some(_) => false,
        };
        !(before_fits && behind_fits)
    }

    fn write(&mut self, target: &str) -> Option<()> {
        if target == "/dev/stdout" || target == "/dev/stderr" || target == "-" {
            return Some(());
        }
        (!target.starts_with("/inet")).then_some(())?;
        let path = Text::known(target.to_owned(), self.span);
        self.out.push(Deed::Write { path, recursive: false });
        Some(())
    }

    fn read(&mut self, source: &str) -> Option<()> {
        if source == "/dev/stdin" || source == "-" {
            return Some(());
        }
        (!source.starts_with("/inet")).then_some(())?;
        let path = Text::known(source.to_owned(), self.span);
        self.out.push(Deed::Read { path, recursive: false });
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    fn check_program(program: &str, expected: &str) {
        assert!(!program.contains('\''));
        check(&format!("awk '{program}'"), expected);
    }

    #[test]
    fn operands_and_options() {
        check("awk '{print $1}' a b", "read a; read b");
        check("awk -F: '{print $1}' /etc/passwd", "read /etc/passwd");
        check("gawk -v n=\"$x\" -F '\\t' '{print n}' a=1 f -", "read f");
        check("awk -f p.awk f", "read p.awk; workspace-code p.awk; read f");
        check("awk p FS=\"$x\" \"f$x\"", "read f<any>");
        check("awk -- p -x", "read -x");
        check("gawk -S 'BEGIN{system(\"id\")}'", "");
        check("mawk -S 'BEGIN{system(\"id\")}'", "shell `id`");
        check("gawk -l readfile 'p'", "!foreign_code");
        check(
            "gawk -i inplace '{print}' f",
            "read inplace; workspace-code inplace; write f; read f",
        );
        check("gawk -e '{print}' f", "read f");
        check("awk 1 /inet/tcp/0/h/80", "!network; read /inet/tcp/0/h/80");
        for line in [
            "awk -v \"$x\" p",
            "awk -v x=$x p",
            "awk -o p",
            "awk --file p",
            "awk --sand p",
            "awk -W exec f",
            "awk \"$x\" f",
            "awk \"/$x/\" f",
            "awk \"{print > \\\"a$n\\\"}\"",
            "awk $x p",
        ] {
            if line != "awk --file p" {
                check_opaque(line);
            }
        }
        check("awk \"NR==$n\" f", "read f");
        check("awk \"{print \\$$n}\" f", "read f");
    }

    #[test]
    fn programs_that_do_nothing_else() {
        for program in [
            "",
            "{print}",
            "/a|b/ {print $1 / 2, $2/3}",
            "NR>1 && $3 > 5",
            "{ if ($1 > 2) print \"a > b | c\"; else print (1 > 2) }",
            "BEGIN { while ((getline line) > 0) n++; print n }",
            "{ a[$1]++ } END { for (k in a) print k, a[k] }",
            "!seen[$0]++",
            "{ gsub(/\\//, \"|\"); print $0 > \"/dev/stderr\" }",
            "function f(x) { return x > 1 ? x : 1 }\n{ print f($1) # > \"x\"\n}",
            "{ s += $5 } END { printf \"%d\\n\", s / 1024 / NR }",
            "{ print length($0), toupper($1) }",
            "BEGIN { x = ENVIRON[\"HOME\"]; print ARGC; print ARGV[1] }",
            "$0 ~ /system(x)/ { n = $1 ~ /b/ }",
            "/start/,/end/",
            "/[/]/ { sub(/[^/]*$/, \"\") }",
            "length > 80",
            "{ print $1,\n $2 }",
            "{ x = 1e5 ; y = .5e-3 }",
            "{ print a[1 > 2] }",
            "{ printf(\"%s\\n\", $1) }",
        ] {
            check_program(program, "");
        }
    }

    #[test]
    fn files_and_commands() {
        check_program("{print > \"o\"}", "write o");
        check_program("{print $1,$2 >> \"/etc/x\"; print}", "write /etc/x");
        check_program("{print $1,\n$2 > \"o\"}", "write o");
        check_program("{printf(\"%s\", $1) > \"o\"}", "write o");
        check_program("{print (1)(2) > \"o\"}", "write o");
        check_program("BEGIN{getline x < \"f\"}", "read f");
        check_program("BEGIN{while ((getline x < \"f\") > 0) n++}", "read f");
        check_program("BEGIN{while (getline < \"f\") n++}", "read f");
        check_program("BEGIN{\"date\" | getline d}", "shell `date`");
        check_program("BEGIN{while ((\"ls\" | getline x) > 0) print x}", "shell `ls`");
        check_program("{print | \"sort -n\"}", "shell `sort -n`");
        check_program("{print $1 | \"cat 1>&2\"}", "shell `cat 1>&2`");
        check_program("BEGIN{system(\"id\")}", "shell `id`");
        check_program("BEGIN {system (\"rm -rf /\") }", "shell `rm -rf /`");
    }

    #[test]
    fn doubt_is_opaque() {
        for program in [
            "BEGIN{system(\"i\" \"d\")}",
            "BEGIN{system($0)}",
            "{system(\"rm \" $1)}",
            "{print > $1}",
            "{print > $1\".txt\"}",
            "{print > \"a\" $1}",
            "{print > (\"a\")}",
            "{print > \"a\\x2fb\"}",
            "{print | $1}",
            "{print | \"sort \" f}",
            "{print |& \"sort\"}",
            "{$1 | getline x}",
            "{\"a\" $1 | getline x}",
            "{x = \"a\" | getline}",
            "{getline x < $1}",
            "{getline < \"a\" \"b\"}",
            "{getline x < ARGV[1]}",
            "BEGIN{ARGV[1]=\"/etc/passwd\";ARGC=2}",
            "BEGIN{split(\"a b\", ARGV)}",
            "BEGIN{ARGC++}",
            "BEGIN{++ARGC}",
            "BEGIN{sub(/x/,\"y\",ARGV[1])}",
            "BEGIN{SYMTAB[\"x\"]=1}",
            "@load \"filefuncs\"\n{print}",
            "@include \"x\"",
            "{f=\"system\";@f(\"id\")}",
            "BEGIN{s=\"/inet/tcp/0/evil/80\";print |& s}",
            "BEGIN{print > \"/inet/tcp/0/evil/80\"}",
            "{if (x) /a/ / system(\"id\") / 2}",
            "/[\\]/]/ {print}",
            "/[]/]/ {print}",
            "/[[:alpha:]/]/ {print}",
            "/[/ {print}",
            "{x = length /\"/; system(\"id\"); x = \"/\"}",
            "{print \"a",
            "{print /a}",
            "{x++ /a/ 2}",
            "{print é}",
            "BEGIN{print \"a\" | getline x}",
            "{print > \"a\" > \"b\"}",
            "{print )(> \"b\"}",
        ] {
            check_opaque(&format!("awk '{program}'"));
        }
    }
}
