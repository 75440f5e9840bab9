//! SIGHUP: what is exchanged, and what is not.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use wgfleet_integration::{
    StopOnDrop,
    agent::SECRET,
    client::{Client, Request},
    eventually,
    tls::{Authority, believing},
};

use crate::common::{PATIENCE, Secured};

const SECRETS: [&str; 2] = [
    SECRET,
    "the secret that comes after it, long enough as well",
];
const EXCHANGES: usize = 6;
const KEEPING: usize = 4;
const OPENING: usize = 4;

/// What the load signs with, and how far it has come.
struct Load {
    stop: AtomicBool,
    secret: AtomicUsize,
    /// Requests answered, by worker.
    answered: [AtomicUsize; KEEPING + OPENING],
}

impl Load {
    /// Sends requests until told to stop. Every one of them must be answered with 200; with `keep`, all
    /// of them over the one connection it began with.
    fn work(&self, number: usize, clients: &[Client; 2], keep: bool) {
        let mut kept = keep.then(|| clients[0].connect().expect("a connection"));
        while !self.stop.load(Ordering::Relaxed) {
            let client = &clients[self.secret.load(Ordering::SeqCst)];
            let bytes = client.prepare(&Request::get("/wg/wg0/dump")).to_bytes();
            let answer = match &mut kept {
                Some(connection) => connection.exchange(&bytes).expect("an answer"),
                None => client.get("/health"),
            };
            assert_eq!(answer.status, 200, "worker {number}: {answer:?}");
            self.answered[number].fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Every worker has begun and ended a request since.
    fn has_gone_on(&self, worker: impl Fn() -> bool) {
        let counts = || {
            self.answered
                .each_ref()
                .map(|count| count.load(Ordering::SeqCst))
        };
        let before = counts();
        eventually(PATIENCE, "the load goes on", || {
            assert!(worker(), "a worker failed");
            let now = counts().into_iter().zip(before);
            now.into_iter()
                .all(|(now, before)| now >= before + 2)
                .then_some(())
        });
    }
}

#[test]
fn secrets_and_certificate_are_exchanged_under_load_without_an_error() {
    let secured = Secured::start();
    let authorities = [Authority::new(), Authority::new()];
    let trust = believing(&[&secured.authority, &authorities[0], &authorities[1]]);
    let clients = || {
        SECRETS.map(|secret| {
            secured
                .agent
                .client_with(secret)
                .secured(&trust)
                .keep_alive()
        })
    };
    let load = Load {
        stop: AtomicBool::new(false),
        secret: AtomicUsize::new(0),
        answered: std::array::from_fn(|_| AtomicUsize::new(0)),
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..KEEPING + OPENING)
            .map(|number| {
                let keep = number < KEEPING;
                let clients = if keep {
                    clients()
                } else {
                    SECRETS.map(|secret| secured.agent.client_with(secret).secured(&trust))
                };
                let load = &load;
                scope.spawn(move || load.work(number, &clients, keep))
            })
            .collect();
        let stop_however_it_ends = StopOnDrop(&load.stop);
        let all_work = || workers.iter().all(|worker| !worker.is_finished());
        load.has_gone_on(all_work);
        for exchange in 0..EXCHANGES {
            let (old, new) = (SECRETS[exchange % 2], SECRETS[(exchange + 1) % 2]);
            let authority = &authorities[exchange % 2];
            secured.files.write(&authority.issue());
            secured.agent.write_secrets(&format!("{old}\n{new}"));
            secured.hang_up();
            let only_new = secured
                .agent
                .client_with(new)
                .secured(&believing(&[authority]));
            assert_eq!(only_new.get("/health").status, 200, "the new of both");
            load.secret.store((exchange + 1) % 2, Ordering::SeqCst);
            load.has_gone_on(all_work);
            secured.agent.write_secrets(new);
            secured.hang_up();
            let retired = secured.agent.client_with(old).secured(&trust);
            assert_eq!(retired.get("/health").status, 401);
            load.has_gone_on(all_work);
        }
        drop(stop_however_it_ends);
        for worker in workers {
            worker.join().expect("not one error");
        }
    });
    let log = secured.agent.log();
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
    assert!(!SECRETS.iter().any(|secret| log.contains(secret)), "{log}");
}

#[test]
fn a_bad_certificate_keeps_the_old_and_lets_the_secret_change() {
    let secured = Secured::start();
    let key = fs::read_to_string(&secured.files.key).expect("written before");
    let certificate = fs::read_to_string(&secured.files.certificate).expect("written before");
    let other = Authority::new().issue();
    let (cert_file, key_file) = (&secured.files.certificate, &secured.files.key);
    let bad = |spoil: &dyn Fn()| {
        spoil();
        let secret = SECRETS[secured.agent.log().matches("stays").count() % 2];
        secured.agent.write_secrets(secret);
        secured.hang_up();
        let client = secured.agent.client_with(secret).secured(&secured.trust());
        assert_eq!(
            client.get("/health").status,
            200,
            "the old one, and the new secret"
        );
        fs::write(cert_file, &certificate).expect("written");
        fs::write(key_file, &key).expect("written");
    };
    bad(&|| fs::write(cert_file, "garbage").expect("written"));
    bad(&|| fs::write(cert_file, &other.certificate).expect("written"));
    bad(&|| fs::remove_file(key_file).expect("removed"));
    bad(&|| fs::write(key_file, &other.key).expect("written"));
    let log = secured.agent.log();
    let said: Vec<_> = log
        .lines()
        .filter(|line| line.contains("the certificate in use stays"))
        .collect();
    assert_eq!(said.len(), 4, "one line each: {log}");
    assert!(
        said.iter()
            .all(|line| line.contains("ERROR") && line.contains("--tls-")),
        "{said:?}"
    );
    assert!(!log.contains("PRIVATE"), "{log}");
    secured.hang_up();
    assert_eq!(log.matches("the secrets in use stay").count(), 0, "{log}");
}

#[test]
fn a_bad_secret_keeps_the_old_and_lets_the_certificate_change() {
    let secured = Secured::start();
    let kept = secured.client().keep_alive();
    assert_eq!(kept.get("/health").status, 200);
    let next = Authority::new();
    secured.files.write(&next.issue());
    secured.agent.write_secrets("too short");
    secured.hang_up();
    let client = secured.agent.client().secured(&believing(&[&next]));
    assert_eq!(
        client.get("/health").status,
        200,
        "the old secret, the new certificate"
    );
    secured
        .client()
        .connect()
        .expect_err("the old certificate is gone");
    assert_eq!(kept.get("/health").status, 200, "what was open goes on");
    let log = secured.agent.log();
    let said = log
        .lines()
        .filter(|line| line.contains("the secrets in use stay"));
    let said: Vec<_> = said.collect();
    assert!(
        matches!(said[..], [line] if line.contains("--secret-file")),
        "{log}"
    );
}

#[test]
fn secrets_are_read_again_without_tls_too() {
    let agent = wgfleet_integration::agent::Config::simulated("wg0", 0).start();
    let kept = agent.client().keep_alive();
    assert_eq!(kept.get("/health").status, 200);
    agent.write_secrets(SECRETS[1]);
    agent.signal(rustix::process::Signal::HUP);
    let new = agent.client_with(SECRETS[1]);
    eventually(PATIENCE, "the new secret is taken", || {
        (new.get("/health").status == 200).then_some(())
    });
    assert_eq!(agent.client().get("/health").status, 401);
    assert_eq!(kept.get("/health").status, 401, "answered, not dropped");
}
