//! The shortest complete use: a bundle, an identity, a sink, a session; one act that is allowed and
//! runs, one that is refused; and the receipts of both, verified.
//!
//! ```text
//! cargo run --example quickstart
//! ```

#![allow(clippy::print_stdout, reason = "examples talk to people")]

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use countersign::action::{Connect, ReadData};
use countersign::entropy::{Entropy as _, SystemEntropy};
use countersign::identity::SpiffeId;
use countersign::policy::Authored;
use countersign::receipt::{IdentityKey, MemorySink, Signer as _, TrustedKey, Verifier};
use countersign::scope::{Descriptor, Scope};
use countersign::time::{Clock as _, SystemClock};
use countersign::{Authorizer, Decision, Sink};

fn main() -> Result<(), Box<dyn Error>> {
    // Once per process. A host keeps the key in a KMS and the receipts in a file.
    let mut seed = [0; 32];
    SystemEntropy.fill(&mut seed)?;
    let key = IdentityKey::from_seed(&seed);
    let trusted = TrustedKey::from_bytes(&key.public_key())?;
    let receipts = Arc::new(MemorySink::new());
    let authorizer = Authorizer::builder()
        .policy(Authored::baseline().load()?)
        .identity(key)
        .sink(Sink::blocking(Arc::clone(&receipts)))
        .build()?;

    // Once per task. What the scope does not grant is denied, and it ends by itself.
    let expires = SystemClock::new()?.now()?.plus(Duration::from_secs(3600)).to_string();
    let owner = "user:dana@example.org";
    let workspace = env!("CARGO_MANIFEST_DIR");
    let mut task =
        Descriptor::new("summary", owner, "spiffe://example.org/agent/coder", expires, workspace);
    task.touch.read = vec![format!("{workspace}/**")];
    let scope = Scope::from_descriptor(&task)?.dangerous().trust_unsigned();
    let agent = SpiffeId::parse("spiffe://example.org/agent/coder/instance/1")?;
    let session = authorizer.open(&scope, agent.dangerous().assume_verified())?;

    // Before every act.
    match session.authorize(ReadData::new("Cargo.toml"))? {
        Decision::Allow(permit) => {
            // The resolved path is what was decided on, so that is what is opened.
            let text = permit.run(|granted| match granted.path() {
                Some(path) => fs::read_to_string(path.as_path()),
                None => Err(std::io::ErrorKind::InvalidInput.into()),
            })?;
            println!("read: {} bytes", text.len());
        }
        Decision::Defer(deferral) => println!("read: {deferral}"),
        Decision::Deny(denial) => println!("read: {denial}"),
    }
    match session.authorize(Connect::new("169.254.169.254", 80))? {
        Decision::Allow(_) => return Err("nobody granted the metadata service".into()),
        Decision::Defer(deferral) => println!("connect: {deferral}"),
        Decision::Deny(denial) => println!("connect: {denial}"),
    }
    session.close()?;

    // Anybody, years later, with the public key and the lines alone.
    let lines = receipts.to_ndjson();
    println!("\n{}", Verifier::new(trusted).verify(lines.as_bytes())?);
    Ok(())
}
