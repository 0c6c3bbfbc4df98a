//! Programs whose arguments are a language of their own: what the table cannot say of them.

mod awk;
mod builtins;
mod dd;
mod environment;
mod find;
mod git;
mod interpreters;
mod make;
mod netcat;
mod options;
mod query;
mod search;
mod sed;
mod shells;
mod ssh;
mod tar;
#[cfg(test)]
mod testing;
mod xargs;

pub(crate) use xargs::{anything, takes_from_file};

use crate::shell::deed::{Deed, Invocation};

/// Adds what one command would do, and reports whether the program is one of those known here.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) -> bool {
    match invocation.name {
        "awk" | "gawk" | "mawk" | "nawk" | "original-awk" => awk::deeds(invocation, out),
        "dd" => dd::deeds(invocation, out),
        "fd" | "fdfind" => search::fd(invocation, out),
        "find" => find::deeds(invocation, out),
        "jq" => query::deeds(invocation, out),
        "make" | "gmake" => make::deeds(invocation, out),
        "man" => search::man(invocation, out),
        "nc" | "ncat" | "netcat" => netcat::deeds(invocation, out),
        "parallel" => xargs::parallel(invocation, out),
        "rg" | "ag" => search::deeds(invocation, out),
        "rsync" => ssh::rsync(invocation, out),
        "scp" => ssh::scp(invocation, out),
        "sed" | "gsed" => sed::deeds(invocation, out),
        "sftp" => ssh::sftp(invocation, out),
        "socat" => netcat::socat(invocation, out),
        "ssh" => ssh::deeds(invocation, out),
        "tar" | "gtar" => tar::deeds(invocation, out),
        "xargs" => xargs::deeds(invocation, out),
        "yq" => query::yq(invocation, out),
        _ => {
            return builtins::deeds(invocation, out)
                || git::deeds(invocation, out)
                || environment::deeds(invocation, out)
                || interpreters::deeds(invocation, out)
                || shells::deeds(invocation, out);
        }
    }
    true
}
