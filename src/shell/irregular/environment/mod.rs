//! Programs that run another program in other circumstances: another environment, another user,
//! another root, under a lock, again and again.

mod env;
mod privilege;
mod wrapper;

use super::options::{Item, Options, Reader, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

/// Tells what such a program does; false if `name` is none.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) -> bool {
    match invocation.name {
        "env" | "genv" => env::env(invocation, out),
        "sudo" => privilege::sudo(invocation, out),
        "sudoedit" => privilege::sudoedit(invocation, out),
        "doas" => privilege::doas(invocation, out),
        "su" | "runuser" => privilege::su(invocation, out),
        "pkexec" => privilege::pkexec(invocation, out),
        "chroot" => privilege::chroot(invocation, out),
        "unshare" => privilege::unshare(invocation, out),
        "nsenter" => privilege::nsenter(invocation, out),
        "setpriv" => privilege::setpriv(invocation, out),
        "capsh" => privilege::capsh(invocation, out),
        "time" => wrapper::time(invocation, out),
        "watch" => wrapper::watch(invocation, out),
        "script" => wrapper::script(invocation, out),
        "flock" => wrapper::flock(invocation, out),
        "strace" | "ltrace" => wrapper::trace(invocation, out),
        _ => return false,
    }
    true
}

/// Options up to the command, with the command.
struct Wrapped<'a, 's> {
    options: Vec<(&'static str, Option<Text<'s>>)>,
    command: &'a [Text<'s>],
}

impl<'a, 's> Wrapped<'a, 's> {
    /// Reads options that end at the first operand. What is not understood is told, and ends the
    /// reading, because it may have been the command.
    fn read(
        options: &'static Options,
        arguments: &'a [Text<'s>],
        invocation: &Invocation<'_, 's>,
        out: &mut Vec<Deed<'s>>,
    ) -> Option<Self> {
        let mut reader = Reader::new(options, arguments, invocation.span);
        let mut read = Self { options: Vec::new(), command: &[] };
        loop {
            let rest = reader.rest();
            match reader.next() {
                None => return Some(read),
                Some(Item::Option(name, value)) => read.options.push((name, value)),
                Some(Item::Operand(_)) => {
                    let marked = rest.first().and_then(Text::literal) == Some("--");
                    read.command = if marked { rest.get(1..).unwrap_or_default() } else { rest };
                    return Some(read);
                }
                Some(Item::Doubt(reason, span)) => {
                    opaque(out, reason, span);
                    return None;
                }
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    fn value(&self, name: &str) -> Option<&Text<'s>> {
        let mut found = self.options.iter().rev().filter(|(option, _)| *option == name);
        found.next().and_then(|(_, value)| value.as_ref())
    }
}

/// Runs a program with its arguments; without one nothing is run.
fn run<'s>(command: &[Text<'s>], out: &mut Vec<Deed<'s>>) {
    let Some(program) = command.first() else { return };
    if program.literal().is_none() {
        opaque(out, Reason::ShellDynamicProgram, program.span);
    }
    out.push(Deed::Command { argv: command.to_vec() });
}

/// Returns `prefix` and `text` in one text.
fn prefixed<'s>(prefix: &str, text: &Text<'s>) -> Text<'s> {
    let by = u32::try_from(prefix.len()).unwrap_or(u32::MAX);
    let mut open = text.open.clone();
    for open in &mut open {
        open.start = open.start.saturating_add(by);
        open.end = open.end.saturating_add(by);
    }
    Text { text: format!("{prefix}{}", text.text).into(), open, many: text.many, span: text.span }
}
