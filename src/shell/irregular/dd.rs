//! `dd`: operands are `key=value`.

use super::options::opaque;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation};

/// Adds what `dd` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    for argument in invocation.arguments {
        if matches!(argument.literal(), Some("--help" | "--version" | "--")) {
            continue;
        }
        let Some((key, value)) = argument.split_once('=').filter(|_| !argument.many) else {
            opaque(out, Reason::ShellArguments, argument.span);
            continue;
        };
        match key {
            "if" => out.push(Deed::Read { path: value, recursive: false }),
            "of" => out.push(Deed::Write { path: value, recursive: false }),
            "bs" | "ibs" | "obs" | "cbs" | "count" | "skip" | "iseek" | "seek" | "oseek"
            | "conv" | "iflag" | "oflag" | "status" => {}
            _ => opaque(out, Reason::ShellUnknownOption, argument.span),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn operands_are_keys() {
        check("dd if=a of=/dev/sda bs=1M count=$n", "read a; write /dev/sda");
        check("dd of=\"$x\" conv=notrunc,sync status=none", "write <any>");
        check("dd", "");
    }

    #[test]
    fn doubt_is_opaque() {
        for line in
            ["dd a", "dd IF=a", "dd \"$x\"", "dd of=$x", "dd \"o$x=y\"", "dd *", "dd --of=x"]
        {
            check_opaque(line);
        }
    }
}
