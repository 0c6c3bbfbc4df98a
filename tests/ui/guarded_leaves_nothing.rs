// The body of a function whose guard is wrong cannot be called.

#![allow(unused_imports)]

use countersign::guard::Refused;
use countersign::session::Session;
use countersign::{Action, guarded};

#[derive(Action)]
#[action(domain = "infrastructure")]
struct Rotate {
    #[action(target)]
    key: String,
}

struct Vault;

impl Vault {
    #[guarded(action = Rotate { key: String::new() }, sesion = self.session)]
    fn open(&self) -> Result<(), Refused> {
        Ok(())
    }
}

fn main() {
    let _ = Vault.open();
}
