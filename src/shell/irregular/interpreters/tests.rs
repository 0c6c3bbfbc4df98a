//! What each interpreter runs.

use crate::shell::deed::{Stdin, Text};
use crate::shell::irregular::testing::{check, check_opaque, check_piped, run};

fn check_text(line: &str, expected: &str) {
    assert_eq!(
        run(line, &Stdin::Text(Text::known("x", Default::default()).into())),
        expected,
        "{line}"
    );
}

#[test]
fn code_on_the_command_line() {
    for line in [
        "python -c 'x'",
        "python3 -cx",
        "python3.12 -uc x -m pip",
        "python3 -c \"$x\"",
        "perl -e x",
        "perl -E x",
        "perl -lane x",
        "perl -pi -e x f",
        "perl -ne \"$x\"",
        "ruby -e x",
        "ruby -ne x",
        "node -e x",
        "node --eval=x",
        "node -p x",
        "node --print \"$x\"",
        "php -r x",
        "lua -e x",
        "Rscript -e x",
        "Rscript '-ex'",
        "R -e x",
        "julia -e x",
        "julia -E x",
        "osascript -e x",
        "deno eval x",
        "node -pe x",
        "php -B x",
        "perl -0777 -ne x",
        "perl -0777ne x",
        "perl -l012ne x",
        "ruby -W0e x",
        "ruby -lane x",
        "node --unhandled-rejections strict -e x",
        "perl -0777ne x",
        "perl -l012ne x",
        "ruby -W0e x",
        "ruby -lane x",
        "node --unhandled-rejections strict -e x",
    ] {
        let rendered = run(line, &Stdin::Inherited);
        assert!(rendered.contains("foreign-code"), "{line}: {rendered}");
    }
}

#[test]
fn code_in_a_file() {
    check("python x.py -c y", "workspace-code x.py");
    check("python3 -u -W ignore -X dev scripts/x.py", "workspace-code scripts/x.py");
    check("python -- -x.py", "workspace-code -x.py");
    check("python dir/\"$x\"", "workspace-code dir/<any>");
    check("perl -w x.pl -e", "workspace-code x.pl");
    check("ruby x.rb", "workspace-code x.rb");
    check("node --test", "workspace-code .");
    check("node --no-warnings --max-old-space-size=4096 x.js --inspect", "workspace-code x.js");
    check("node --inspect x.js", "listen 127.0.0.1:9229; workspace-code x.js");
    check("node --inspect=0.0.0.0:80 x.js", "listen 0.0.0.0:80; workspace-code x.js");
    check("php x.php -r y", "workspace-code x.php");
    check("php -f x.php", "workspace-code x.php");
    check("php -S localhost:8000", "listen localhost:8000; read .; workspace-code .");
    check(
        "php -S 0.0.0.0:8000 -t pub router.php",
        "listen 0.0.0.0:8000; read pub/**; workspace-code pub; read .; workspace-code .; workspace-code router.php",
    );
    check("lua x.lua", "workspace-code x.lua");
    check("Rscript --vanilla x.R", "workspace-code x.R");
    check("R -f x.R", "workspace-code x.R");
    check("julia --project=. x.jl", "workspace-code x.jl");
    check("deno run -A x.ts", "workspace-code x.ts");
    check("deno run https://x.org/a.ts", "GET https://x.org/a.ts; foreign-code");
    check(
        "deno run -A jsr:@deno/deployctl",
        "service jsr.io:443; package jsr @deno/deployctl; foreign-code",
    );
    check("deno task build", "workspace-code .");
    check("deno fmt", "write .; workspace-code .");
}

#[test]
fn code_on_the_input() {
    for line in [
        "python",
        "python -",
        "perl",
        "ruby",
        "node",
        "node -",
        "php",
        "lua -",
        "R --no-save",
        "irb",
        "deno",
        "php -a",
        "python -u",
        "tclsh",
    ] {
        check_piped(line, "!code_on_stdin");
    }
    check_text("python -", "foreign-code");
    check_text("node", "foreign-code");
    check_piped("python /dev/stdin", "!code_on_stdin; !code_on_stdin; workspace-code /dev/stdin");
    check_piped("python x.py", "workspace-code x.py");
    check("python -i x.py", "!code_on_stdin; workspace-code x.py");
}

#[test]
fn modules() {
    check("python -m pip install x", "workspace-code .; run pip install x");
    check("python -m pytest -q", "workspace-code .; run pytest -q");
    check("python -m unittest", "workspace-code .");
    check("python3 -m venv .venv", "workspace-code .; create .venv");
    check("python -m build --wheel x -o dist", "workspace-code .; create dist; workspace-code x");
    check("python -m cProfile -o p x.py /etc", "workspace-code .; write p; workspace-code x.py");
    check("python -m cProfile -m pytest x", "workspace-code .; workspace-code .; run pytest x");
    check("python -m zipfile -l a.zip", "workspace-code .; read a.zip");
    check("python -m dis a.py", "workspace-code .; read a.py/**");
    check("ruby -v", "");
    check("deno fmt --check", "workspace-code .");
    check("deno fmt --check --allow-all", "write .; workspace-code .");
    check("python -m json.tool a.json b.json", "workspace-code .; read a.json; write b.json");
    check("python -m http.server", "workspace-code .; read ./**; listen 0.0.0.0:8000");
    check(
        "python -m http.server -b 127.0.0.1 -d /etc 80",
        "workspace-code .; read /etc/**; listen 127.0.0.1:80",
    );
    check(
        "python -m http.server \"$x\"",
        "workspace-code .; !dynamic_argument; read ./**; listen 0.0.0.0:8000",
    );
    check("python -m mine x", "workspace-code .");
    for line in [
        "python -m \"$x\"",
        "python -m timeit x",
        "python -m smtplib",
        "python -m webbrowser http://x",
        "python -m code",
        "python -m urllib.request",
        "python -m cProfile -m cProfile x.py",
        "python -m cProfile",
        "python -m zipfile -e a.zip /etc",
        "python -m tarfile -c /etc/x a",
        "python -m zipfile -e a b",
        "python -m venv \"$x\"",
    ] {
        check_opaque(line);
    }
}

#[test]
fn versions_and_unknown_options() {
    for line in [
        "python --version",
        "python -V",
        "node --version",
        "node -v",
        "perl -v",
        "ruby --version",
        "php -v",
        "php --info",
        "php --modules",
        "lua -v",
        "julia --version",
        "deno --version",
        "R --version",
        "perl -V:version",
    ] {
        check(line, "");
    }
    for line in [
        "node -r ./x.js y.js",
        "node --require=x y.js",
        "node --import x y.js",
        "node --loader x y",
        "node --env-file=x y",
        "node inspect x.js",
        "perl -Ix y.pl",
        "perl -MX y.pl",
        "perl -x y",
        "perl -d:X y",
        "ruby -rsocket x.rb",
        "ruby -I x y",
        "ruby -C /tmp x.rb",
        "php -d auto_prepend_file=x y.php",
        "php -c x y.php",
        "php -z x",
        "lua -l x y.lua",
        "julia -L x y.jl",
        "python -X pycache_prefix=/x y.py",
        "python -W error::x.Y y.py",
        "python \"$x\"",
        "python $x",
        "python --unknown x",
        "node --eva=x",
        "deno repl",
        "deno install x",
        "R CMD INSTALL x",
        "node \"$x\"",
        "python -\"$x\" y",
        "deno run --env=x y.ts",
        "perl -S x",
        "perl -CSe x y",
        "lua -i x.lua",
        "node -i x.js",
        "julia -i x.jl",
        "R --interactive -f x",
    ] {
        check_opaque(line);
    }
}
