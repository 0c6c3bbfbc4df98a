use super::parse;
use crate::shell::syntax::*;
use std::process::Command as P;
struct R(u64);
impl R {
    fn n(&mut self, b: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % b as u64) as usize
    }
}
const A: [&str; 52] = [
    "a", "b", "x", "1", "2", "'", "'", "\"", "\"", "\\", "{", "}", "{", "}", ",", ",", "..", "~",
    "=", ":", "[", "]", "*", "?", "$x", "${x}", "$", "/", "-", "!", "^", "#", "é", " ", "$'",
    "\\'", "\\\"", "\\{", "\\,", "x=", "{a,b}", "{1..3}", "${x:-", "${n:-", "${n-", "\"${n-",
    "}\"", "${x:+", "[a-b]", "[!", "$n", "a'b'",
];
fn val(n: &str) -> Option<String> {
    match n {
        "x" => Some("V".into()),
        "#" => Some("0".into()),
        "?" => Some("0".into()),
        _ => None,
    }
}
fn ev(parts: &[Part<'_>], q: &mut bool) -> Option<String> {
    let mut s = String::new();
    for p in parts {
        match p {
            Part::Literal { text, quoted } => {
                if *quoted {
                    *q = true
                }
                s.push_str(text)
            }
            Part::Glob(t) => {
                let mut e = false;
                for c in t.chars() {
                    if e {
                        s.push(c);
                        e = false
                    } else if c == '\\' {
                        e = true
                    } else if c != '\'' && c != '"' {
                        s.push(c)
                    }
                }
            }
            Part::Tilde("") => s.push_str("/h"),
            Part::Tilde("-" | "+") => return None,
            Part::Tilde(n) if n.bytes().next().is_some_and(|b| b"0123456789-+".contains(&b)) => {
                return None;
            }
            Part::Tilde(n) => {
                s.push('~');
                s.push_str(n)
            }
            Part::Parameter { name, change, quoted } => {
                if matches!(*name, "$" | "!" | "-" | "_" | "0") {
                    return None;
                }
                if matches!(*name, "*" | "@") {
                    return None;
                }
                if *quoted {
                    *q = true
                }
                let v = val(name);
                match change {
                    Change::None => s.push_str(&v.unwrap_or_default()),
                    Change::Length => s.push_str(&v.unwrap_or_default().len().to_string()),
                    Change::Alternative { operator, word } => {
                        let set = v.is_some();
                        let alt = operator.ends_with('+');
                        if set && !alt {
                            s.push_str(&v?)
                        } else if operator.ends_with('?') {
                            return None;
                        } else if set == alt {
                            let t = ev(&word.parts, q)?;
                            if !quoted && t.contains(' ') {
                                return None;
                            }
                            s.push_str(&t)
                        }
                    }
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    Some(s)
}
#[test]
#[expect(clippy::disallowed_methods, reason = "x")]
fn cook() {
    let seed: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut r = R(seed.wrapping_mul(0x9E3779B97F4A7C15) | 1);
    let dir = std::env::temp_dir().join("cookempty");
    std::fs::create_dir_all(&dir).unwrap();
    let (mut bad, mut all) = (0, 0);
    for _ in 0..60 {
        let mut lines = vec![];
        let mut want = vec![];
        while lines.len() < 500 {
            let n = 1 + r.n(9);
            let mode = r.n(4);
            let mut l = String::from(
                [
                    "printf '%s\\0' @ ",
                    "v=",
                    "IFS= read -r -d '' v <<< ",
                    "IFS= read -r -d '' v <<E\n",
                ][mode],
            );
            for _ in 0..n {
                l.push_str(if mode == 3 && r.n(4) == 0 {
                    ["\n", "\\\n", "\t", "\\$", "\\x"][r.n(5)]
                } else {
                    A[r.n(A.len())]
                });
            }
            if mode == 3 {
                l.push_str("\nE");
            }
            let Ok(p) = parse(&l) else { continue };
            if mode > 0 {
                let [pl] = p.list.pipelines.as_slice() else { continue };
                let c = &pl.commands[0];
                let Kind::Simple { words, assignments } = &c.kind else { continue };
                let w = match mode {
                    1 => {
                        if !words.is_empty() || assignments.len() != 1 {
                            continue;
                        }
                        let Some(v) = &assignments[0].value else { continue };
                        v
                    }
                    _ => {
                        if words.len() != 5 || c.redirects.len() != 1 {
                            continue;
                        }
                        &c.redirects[0].target
                    }
                };
                let mut q = false;
                let Some(mut s) = ev(&w.parts, &mut q) else { continue };
                if mode == 2 {
                    s.push('\n');
                }
                l.push_str("\nprintf '%s\\0' \"$v\"");
                lines.push(l);
                want.push(vec![s]);
                continue;
            }
            let [pl] = p.list.pipelines.as_slice() else { continue };
            let Kind::Simple { words, .. } = &pl.commands[0].kind else { continue };
            let mut out = vec![];
            let mut ok = true;
            for w in &words[2..] {
                let mut q = false;
                match ev(&w.parts, &mut q) {
                    Some(s) => {
                        if q || !s.is_empty() {
                            out.push(s)
                        }
                    }
                    None => {
                        ok = false;
                        break;
                    }
                }
            }
            if !ok {
                continue;
            }
            lines.push(l.clone());
            want.push(out);
        }
        let mut script = String::from("HOME=/h x=V\nunset n a b\n");
        for l in &lines {
            script.push_str(&format!("( {l}\n)\nprintf 'END\\0'\n"));
        }
        let f = dir.parent().unwrap().join("cook.sh");
        std::fs::write(&f, &script).unwrap();
        let o = P::new("/usr/bin/timeout")
            .args(["30", "/bin/bash", "--norc", "--noprofile"])
            .arg(&f)
            .current_dir(&dir)
            .env_clear()
            .env("LANG", "C.UTF-8")
            .env("PATH", "/nonexistent")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap_or_else(|_| panic!());
        let t = String::from_utf8_lossy(&o.stdout).into_owned();
        let groups: Vec<&str> = t.split("END\0").collect();
        if groups.len() != lines.len() + 1 {
            println!("DESYNC {} {}", groups.len(), String::from_utf8_lossy(&o.stderr));
            bad += 1;
        }
        for ((l, w), g) in lines.iter().zip(&want).zip(&groups) {
            all += 1;
            let got: Vec<&str> = g.split_terminator('\0').collect();
            let nz = |v: Vec<String>| {
                v.iter().map(|s| s.replace(['\'', '"', '\\'], "")).collect::<Vec<_>>()
            };
            let g2 = nz(got.iter().map(|s| s.to_string()).collect());
            let w2 = nz(w.clone());
            if (l.contains('[') && g2 != w2 || !l.contains('[') && got != *w)
                && !l.contains("/*")
                && !l.contains("/?")
            {
                bad += 1;
                println!("{l:?}\n   ours {w:?}\n   bash {got:?}");
            }
        }
    }
    println!("{all} compared {bad} bad");
}
