//! Loops that read a stream line by line.

use super::literal_of;
use crate::shell::syntax::{Command, Kind, List, Operator, Part, Word};

/// Whether a loop takes lines from its input with `read` alone. Another reader could take a part of
/// one, and `./etc/passwd` without its first byte is another path.
pub(crate) fn only_reads_lines(command: &Command<'_>) -> bool {
    let Kind::Loop { condition, body } = &command.kind else { return false };
    let [pipeline] = condition.pipelines.as_slice() else { return false };
    let [read] = pipeline.commands.as_slice() else { return false };
    let Kind::Simple { words, .. } = &read.kind else { return false };
    let reads = words.first().is_some_and(|word| literal_of(word) == Some("read"));
    reads && read.redirects.is_empty() && leaves_input(body)
}

/// Whether no command of a list reads the input that it shares.
fn leaves_input(list: &List<'_>) -> bool {
    list.pipelines.iter().all(|pipeline| {
        // Those behind a pipe have an input of their own.
        pipeline.commands.first().is_none_or(|command| match &command.kind {
            Kind::Simple { words, .. } => {
                is_given_files(words)
                    || command.redirects.iter().any(|redirect| {
                        redirect.descriptor == 0 && redirect.operator == Operator::Read
                    })
            }
            Kind::Subshell(list) | Kind::Group(list) => leaves_input(list),
            Kind::If { branches, otherwise } => {
                branches.iter().all(|(test, body)| leaves_input(test) && leaves_input(body))
                    && otherwise.as_ref().is_none_or(leaves_input)
            }
            Kind::Test(_) | Kind::Arithmetic(_) => true,
            _ => false,
        })
    })
}

/// Whether a command is one that reads no input, or none when it is given files and is given one.
fn is_given_files(words: &[Word<'_>]) -> bool {
    const SILENT: [&str; 24] = [
        ":", "[", "basename", "break", "cd", "chmod", "continue", "cp", "dirname", "du", "echo",
        "exit", "false", "file", "ln", "ls", "mkdir", "mv", "printf", "rm", "rmdir", "stat",
        "test", "touch",
    ];
    const READERS: [&str; 12] = [
        "cat",
        "grep",
        "head",
        "md5sum",
        "nl",
        "sed",
        "sha1sum",
        "sha256sum",
        "sort",
        "tac",
        "tail",
        "wc",
    ];
    let Some(program) = words.first().and_then(literal_of) else { return words.is_empty() };
    if SILENT.contains(&program) || program == "true" {
        return true;
    }
    // The last word is a file: it is a variable, and not the value of an option in front of it.
    let [.., before, last] = words else { return false };
    let variable = last.parts.iter().any(|part| matches!(part, Part::Parameter { .. }));
    let option = literal_of(before).is_none_or(|before| before.starts_with('-'));
    let first = matches!(program, "grep" | "sed") && words.len() < 3;
    READERS.contains(&program) && variable && !first && (!option || words.len() == 2)
}
