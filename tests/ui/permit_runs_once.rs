// Running consumes the permit.

use countersign::Action;
use countersign::authorizer::Permit;

#[derive(Action)]
#[action(domain = "infrastructure")]
struct Rotate {
    #[action(target)]
    key: String,
}

fn twice(permit: Permit<Rotate>) {
    let _ = permit.run(|_| Ok::<_, ()>(1));
    let _ = permit.run(|_| Ok::<_, ()>(2));
}

fn borrowed(permit: &Permit<Rotate>) {
    let _ = permit.run(|_| Ok::<_, ()>(1));
}

async fn twice_async(permit: Permit<Rotate>) {
    let _ = permit.run_async(|_| async { Ok::<_, ()>(1) }).await;
    let _ = permit.run_async(|_| async { Ok::<_, ()>(2) }).await;
}

fn in_a_loop(permit: Permit<Rotate>) {
    for _ in 0..2 {
        let _ = permit.run(|_| Ok::<_, ()>(1));
    }
}

fn main() {}
