//! Searches that print nothing in `.git`.

/// Tests that take a value, and those that take none; any other word is not followed.
const VALUED: [&str; 20] = [
    "-atime",
    "-ctime",
    "-group",
    "-iname",
    "-ipath",
    "-iregex",
    "-maxdepth",
    "-mindepth",
    "-mmin",
    "-mtime",
    "-name",
    "-newer",
    "-path",
    "-perm",
    "-printf",
    "-regex",
    "-size",
    "-type",
    "-user",
    "-wholename",
];
const FLAGS: [&str; 12] = [
    "-a",
    "-and",
    "-depth",
    "-empty",
    "-executable",
    "-mount",
    "-noleaf",
    "-print",
    "-print0",
    "-readable",
    "-writable",
    "-xdev",
];

/// Whether a `find` of these words leaves out what is hidden, or all files in `.git`, before it prints
/// anything: every test has to hold.
pub(super) fn are_left_out(words: &[&str]) -> bool {
    let first = words.iter().position(|word| word.starts_with(['-', '(', '!', ')']));
    let (starts, tests) = words.split_at(first.unwrap_or(words.len()));
    let here = matches!(starts, [] | ["."]);
    let (mut hidden, mut negated, mut printed) = (false, false, false);
    let mut tests = tests.iter();
    while let Some(test) = tests.next() {
        match *test {
            // Twice negated is not negated.
            "-not" | "!" if negated => return false,
            "-not" | "!" => negated = true,
            test if FLAGS.contains(&test) => {
                printed |= test.starts_with("-print");
                negated &= matches!(test, "-a" | "-and");
            }
            test if VALUED.contains(&test) => {
                let value = tests.next().copied().unwrap_or_default();
                let path = negated && !printed && matches!(test, "-path" | "-wholename");
                // `./.git/*` is not enough: `.git` itself may be a file, which says where all is.
                hidden |= path && matches!(value, "*/.*" | "*/\\.*" | "*/.git*" | "*.git*");
                hidden |= path && here && value == "./.git*";
                printed |= test == "-printf";
                negated = false;
            }
            _ => return false,
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_not_printed() {
        let check = |line: &str, expected: bool| {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(are_left_out(&words), expected, "{line}");
        };
        check(". -not -path */.* -name *.c", true);
        check("src lib ! -path */\\.* -print0", true);
        check(". -type f -not -path ./.git*", true);
        check("src -type f -not -path ./.git*", false);
        check(". -type f -not -path ./.git/*", false);
        check(". -not -path *.git* -a -type f -print", true);
        check(". -not -path ./.git/*", false);
        check(". -type d -not -path ./.git/*", false);
        check("./x -type f -not -path ./.git/*", false);
        check(". .git -type f -not -path ./.git/*", false);
        check(". -type f -path ./.git/*", false);
        check(". -print -type f -not -path */.*", false);
        check(". -printf %p -not -path */.*", false);
        check(". -not -path */.git/* -print -type f", false);
        check(". -not -not -path */.*", false);
        check(". ! -name -not -path */.*", false);
        check(". -not -type f -not -path */.git/*", false);
        check(". -name x -o -not -path */.*", false);
        check(". ( -not -path */.* )", false);
        check(". -not -path */.* -fls x", false);
        check(". -not -path */.x*", false);
        check(". -not -ipath x -path */.*", false);
    }
}
