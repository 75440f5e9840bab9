//! Dumps that go wrong in every way the kernel has, and some it has not.

use proptest::prelude::*;

use super::{
    super::dump::{DumpRequest, Parser, Progress},
    *,
};
use crate::wireguard::{BackendError, Device};

const INTERRUPTED: u16 = abi::FLAG_DUMP_INTERRUPTED;

/// A dump of two peers in two messages and an end; one of them, from 0, may bear the mark.
fn dump_with_mark(marked: Option<usize>) -> Vec<Reply> {
    let flags = |at| if marked == Some(at) { INTERRUPTED } else { 0 };
    let second = [WireguardAttribute::Peers(vec![peer(
        2,
        &["fd00::/64", "10.2.0.0/16"],
    )])];
    vec![
        Reply::kernel([dump_message(
            flags(0),
            &device_with(vec![peer(1, &["10.1.0.1/32"])]),
        )]),
        Reply::kernel([dump_message(flags(1), &second)]),
        Reply::kernel([done(flags(2), 0)]),
    ]
}

fn assert_whole(kept: &Kept) {
    let one = (1, vec!["10.1.0.1/32".to_owned()]);
    let two = (2, vec!["fd00::/64".to_owned(), "10.2.0.0/16".to_owned()]);
    assert_eq!(kept.outline(), [one, two]);
}

/// Dumps and returns what was kept, how often the socket was opened again, and the requests sent.
fn dump(replies: Vec<Reply>) -> (Result<Kept, BackendError>, u32, usize) {
    let (mut device, record) = device(replies);
    let mut kept = Kept::default();
    let dumped = device.dump(&mut kept);
    let record = record.lock().expect("not poisoned");
    (dumped.map(|()| kept), record.reopened, record.sent.len())
}

#[test]
fn every_fact_of_the_device_and_its_peers_arrives() {
    let fingerprinter = Fingerprinter::new();
    let request = DumpRequest {
        family: FAMILY,
        sequence: 1,
        port_id: PORT_ID,
    };
    let mut parser = Parser::new(request, &fingerprinter);
    let (mut kept, mut ended) = (Kept::default(), Progress::More);
    for reply in dump_with_mark(None) {
        let Reply::From(_, mut datagram) = reply else {
            panic!("a datagram")
        };
        address(&mut datagram, 1);
        ended = parser.datagram(&datagram, &mut kept).expect("sound");
    }
    assert_eq!(ended, Progress::Complete);
    let public_key = Some(PublicKey::from_bytes([9; 32]));
    let facts_of_device = DeviceFacts {
        ifindex: 3,
        public_key,
        listen_port: 51820,
        fwmark: 7,
    };
    assert_eq!(kept.device, Some(facts_of_device));
    let preshared_key = fingerprinter.of_raw(&PRESHARED_KEY);
    assert_eq!(kept.peers[0].0, facts(1, preshared_key));
    assert_eq!(kept.peers[1].0, facts(2, preshared_key));
    assert_whole(&kept);
}

#[test]
fn hostile_24_a_mark_on_any_message_begins_the_dump_again_on_the_same_socket() {
    for marked in 0..3 {
        let replies = [dump_with_mark(Some(marked)), dump_with_mark(None)].concat();
        let (kept, reopened, sent) = dump(replies);
        assert_whole(&kept.expect("the second is good"));
        assert_eq!((reopened, sent), (0, 2), "marked at {marked}");
    }
}

#[test]
fn each_new_beginning_is_counted() {
    let bad = || dump_with_mark(Some(0));
    let (mut device, _) =
        device([bad(), bad(), dump_with_mark(None), dump_with_mark(None)].concat());
    for _ in 0..2 {
        device
            .dump(&mut Kept::default())
            .expect("a good one at last");
        assert_eq!(device.retries(), 2);
    }
}

#[test]
fn hostile_24_ten_marked_dumps_are_given_up() {
    for marked in 0..3 {
        let (kept, _, sent) = dump((0..11).flat_map(|_| dump_with_mark(Some(marked))).collect());
        let error = kept.expect_err("never consistent");
        assert!(
            matches!(error, BackendError::Inconsistent { attempts: 10, .. }),
            "{error}"
        );
        assert_eq!(sent, 10);
    }
}

#[test]
fn hostile_24_an_errno_at_the_end_is_no_success() {
    let mut replies = dump_with_mark(None);
    replies[2] = Reply::kernel([done(0, Errno::MSGSIZE.raw_os_error())]);
    let error = dump(replies).0.expect_err("the kernel said so");
    let BackendError::Refused(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.raw_os_error(), Some(Errno::MSGSIZE.raw_os_error()));
}

#[test]
fn an_absent_interface_and_one_of_another_kind_are_not_found() {
    for errno in [Errno::NODEV, Errno::OPNOTSUPP] {
        let error = dump(vec![Reply::kernel([acknowledgement(errno.raw_os_error())])]).0;
        assert!(
            matches!(error, Err(BackendError::InterfaceNotFound)),
            "{error:?}"
        );
    }
}

#[test]
fn hostile_24_lost_and_cut_messages_take_a_new_socket() {
    let damages = [
        Reply::Failure(Errno::NOBUFS),
        Reply::Failure(Errno::AGAIN),
        Reply::Truncated,
        Reply::kernel([message(FAMILY, 0, &[0; 2])]),
    ];
    for damage in damages {
        for at in 0..3 {
            let mut replies = dump_with_mark(None);
            replies.truncate(at);
            replies.push(damage.clone());
            replies.extend(dump_with_mark(None));
            let (kept, reopened, sent) = dump(replies);
            assert_whole(&kept.expect("the second is good"));
            assert_eq!((reopened, sent), (1, 2));
        }
    }
}

#[test]
fn hostile_24_damage_without_end_is_given_up() {
    let (kept, reopened, _) = dump(vec![Reply::Truncated; 10]);
    assert!(matches!(
        kept,
        Err(BackendError::Inconsistent { attempts: 10, .. })
    ));
    assert_eq!(reopened, 9);
}

#[test]
fn a_kernel_that_stays_silent_is_an_error_soon() {
    let (kept, _, sent) = dump(Vec::new());
    assert!(matches!(kept, Err(BackendError::Io { .. })), "{kept:?}");
    assert_eq!(sent, 2);
}

#[test]
fn hostile_24_an_end_that_is_missing_is_no_success() {
    let mut replies = dump_with_mark(None);
    replies.truncate(2);
    assert!(dump(replies).0.is_err());
}

#[test]
fn what_answers_another_request_or_socket_or_comes_from_a_process_is_skipped() {
    let stranger = || dump_message(0, &device_with(vec![peer(66, &["0.0.0.0/0"])]));
    let mut replies = dump_with_mark(None);
    let strange = [
        Reply::kernel([
            with_sequence(stranger(), 999),
            with_sequence(done(0, 0), 999),
        ]),
        Reply::kernel([
            with_port_id(stranger(), 1),
            with_port_id(done(INTERRUPTED, 0), 1),
        ]),
        Reply::From(1234, [stranger(), done(0, 0)].concat()),
    ];
    for (at, strange) in strange.into_iter().enumerate() {
        replies.insert(2 * at, strange);
    }
    let (kept, reopened, sent) = dump(replies);
    assert_whole(&kept.expect("the kernel's own dump"));
    assert_eq!((reopened, sent), (0, 1));
}

#[test]
fn hostile_23_a_peer_in_three_parts_is_one_peer() {
    // The first peer is not through: the kernel repeats the device.
    let second = device_with(vec![rest_of_peer(1, &["10.0.0.2/32", "10.0.0.3/32"])]);
    let third = [WireguardAttribute::Peers(vec![
        rest_of_peer(1, &["fd00::1/128"]),
        peer(2, &[]),
    ])];
    let messages = [
        dump_message(0, &device_with(vec![peer(1, &["10.0.0.1/32"])])),
        dump_message(0, &second),
        dump_message(0, &third),
        done(0, 0),
    ];
    let all = ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32", "fd00::1/128"].map(str::to_owned);
    let expected = [(1, all.to_vec()), (2, Vec::new())];
    let apart = messages
        .iter()
        .map(|message| Reply::kernel([message.clone()]))
        .collect();
    for replies in [apart, vec![Reply::kernel(messages.clone())]] {
        let kept = dump(replies).0.expect("one dump");
        assert_eq!(kept.outline(), expected);
        assert_eq!(kept.peers[0].0.rx_bytes, 1);
    }
}

#[test]
fn the_rest_of_a_peer_never_begun_is_malformed() {
    let orphan = device_with(vec![peer(1, &[]), rest_of_peer(2, &["10.0.0.2/32"])]);
    let replies = vec![Reply::kernel([dump_message(0, &orphan), done(0, 0)]); 10];
    assert!(matches!(
        dump(replies).0,
        Err(BackendError::Inconsistent { .. })
    ));
}

#[test]
fn hostile_24_a_dump_cut_at_any_byte_is_never_a_success() {
    let fingerprinter = Fingerprinter::new();
    let request = DumpRequest {
        family: FAMILY,
        sequence: 1,
        port_id: PORT_ID,
    };
    let messages = [
        dump_message(
            0,
            &device_with(vec![peer(1, &["10.0.0.1/32"]), peer(2, &["fd00::/64"])]),
        ),
        done(0, 0),
    ];
    let mut whole = messages.concat();
    address(&mut whole, 1);
    for cut in 0..whole.len() {
        let progress =
            Parser::new(request, &fingerprinter).datagram(&whole[..cut], &mut Kept::default());
        assert!(
            matches!(progress, Err(_) | Ok(Progress::More)),
            "cut at {cut}: {progress:?}"
        );
    }
}

#[test]
fn keys_reach_neither_errors_nor_debug_output() {
    // Malformed right behind the preshared key: the error says what, not which bytes.
    let mut bytes = dump_message(0, &device_with(vec![peer(1, &["10.0.0.1/32"])]));
    let at = bytes
        .windows(32)
        .position(|window| window == PRESHARED_KEY)
        .expect("in there");
    bytes[at + 32] = 1;
    let error = dump(vec![Reply::kernel([bytes]); 10])
        .0
        .expect_err("malformed");
    for text in [format!("{error}"), format!("{error:?}")] {
        assert!(
            !text.contains("165") && !text.to_lowercase().contains("a5"),
            "{text}"
        );
        assert!(
            !text.contains("90,") && !text.to_lowercase().contains("5a"),
            "{text}"
        );
    }
    let kept = dump(dump_with_mark(None)).0.expect("good");
    let text = format!("{kept:?}");
    assert!(
        !text.contains("165, 165") && !text.contains("90, 90"),
        "{text}"
    );
}

#[test]
fn the_buffer_is_wiped_after_every_dump_the_failed_ones_too() {
    let damaged = vec![Reply::kernel([message(FAMILY, 0, &[0xA5; 2]), done(0, 0)])];
    let (mut device, record) =
        device([dump_with_mark(None), damaged, dump_with_mark(None)].concat());
    device.dump(&mut Kept::default()).expect("good");
    device
        .dump(&mut Kept::default())
        .expect("good at the second attempt");
    // The family; three datagrams; one damaged and three good ones.
    let was_clean = &record.lock().expect("not poisoned").was_clean;
    assert_eq!(
        *was_clean,
        [true, false, false, false, true, false, false, false]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let fingerprinter = Fingerprinter::new();
        let request = DumpRequest { family: FAMILY, sequence: 1, port_id: PORT_ID };
        let _ = Parser::new(request, &fingerprinter).datagram(&bytes, &mut Kept::default());
    }

    #[test]
    fn no_damage_makes_it_panic(damages in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let fingerprinter = Fingerprinter::new();
        let request = DumpRequest { family: FAMILY, sequence: 1, port_id: PORT_ID };
        let peers = vec![peer(1, &["10.0.0.1/32"]), peer(2, &["fd00::/64", "10.0.0.2/32"])];
        let mut bytes = [dump_message(0, &device_with(peers)), done(0, 0)].concat();
        address(&mut bytes, 1);
        for (at, value) in damages {
            let len = bytes.len();
            bytes[at % len] = value;
        }
        let _ = Parser::new(request, &fingerprinter).datagram(&bytes, &mut Kept::default());
    }
}
