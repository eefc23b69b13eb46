//! Two ends of a connection without any socket between them, and bytes that no correct peer sends.

use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

const FULL: Trust = Trust { streams: STREAMS, window: 64 << 10 };

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn pair() -> (Link, Link) {
    (Link::new(Side::Gateway, FULL), Link::new(Side::Hub, FULL))
}

/// The next load of this side, if it has anything to say.
fn load(from: &Link) -> Option<Vec<u8>> {
    match from.poll_send(&cx()) {
        Poll::Ready(Load::More(bytes) | Load::Last(bytes)) => Some(bytes),
        Poll::Pending => None,
    }
}

/// Carries all that either side has to say.
fn carry(a: &Link, b: &Link) {
    for _ in 0..10_000 {
        let (from_a, from_b) = (load(a), load(b));
        if from_a.as_ref().is_none_or(Vec::is_empty) && from_b.as_ref().is_none_or(Vec::is_empty) {
            return;
        }
        b.receive(&from_a.unwrap_or_default());
        a.receive(&from_b.unwrap_or_default());
    }
    panic!("they never fall silent");
}

fn accepted(link: &Link) -> Option<(Writer, Reader)> {
    match link.poll_accept(&cx()) {
        Poll::Ready(Ok(stream)) => Some(stream),
        _ => None,
    }
}

fn write(writer: &Writer, bytes: &[u8]) -> usize {
    match writer.poll_write(&cx(), bytes) {
        Poll::Ready(Ok(n)) => n,
        Poll::Ready(Err(e)) => panic!("{e}"),
        Poll::Pending => 0,
    }
}

/// All that has come; none at the end of the stream.
fn read(reader: &Reader) -> Option<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match reader.poll_read(&cx(), &mut buffer) {
            Poll::Ready(Ok(0)) => return (!all.is_empty()).then_some(all),
            Poll::Ready(Ok(n)) => all.extend_from_slice(&buffer[..n]),
            Poll::Ready(Err(_)) | Poll::Pending => return Some(all),
        }
    }
}

#[test]
fn pieces_are_on_the_wire_as_they_are_described() {
    let (gateway, _) = pair();
    let (writer, _reader) = gateway.open(0).unwrap();
    write(&writer, b"hello");
    // By hand: five bytes of data; then, as the stream is known now, the grant of the larger window, 48 KiB.
    assert_eq!(load(&gateway).unwrap(), [&[0, 0, 0, 5][..], b"hello"].concat());
    assert_eq!(load(&gateway).unwrap(), [2, 0, 0, 4, 0, 0, 0xc0, 0]);
    writer.finish();
    gateway.ping();
    gateway.send_datagram(b"x".to_vec());
    assert_eq!(load(&gateway).unwrap(), [&[3, 0, 0, 0][..], &[5, 0, 0, 1], b"x", &[1, 0, 0, 0]].concat());
    gateway.receive(&[3, 0, 0, 0]);
    assert_eq!(load(&gateway).unwrap(), [4, 0, 0, 0]);
    gateway.close(7, b"gone");
    assert_eq!(load(&gateway).unwrap(), [&[6, 0, 0, 8, 0, 0, 0, 7][..], b"gone"].concat());
    assert_eq!(load(&gateway).unwrap(), [], "and nothing after it");
}

#[test]
fn what_is_written_on_one_side_is_read_on_the_other_byte_by_byte_too() {
    let (gateway, hub) = pair();
    let (up, down) = gateway.open(0).unwrap();
    write(&up, b"ask");
    while let Some(bytes) = load(&gateway) {
        for byte in bytes {
            hub.receive(&[byte]);
        }
    }
    let (answer, ask) = accepted(&hub).unwrap();
    assert_eq!(read(&ask).unwrap(), b"ask");
    write(&answer, b"answer");
    answer.finish();
    carry(&gateway, &hub);
    assert_eq!(read(&down).unwrap(), b"answer");
    assert_eq!(read(&down), None, "the end");
    assert!(accepted(&hub).is_none());
}

#[test]
fn an_alarm_overtakes_history_that_waits() {
    let (gateway, hub) = pair();
    let (history, _a) = gateway.open(-10).unwrap();
    let (alarms, _b) = gateway.open(20).unwrap();
    assert_eq!(write(&history, &vec![1; 100_000]), 65_536, "no more waits than this");
    hub.receive(&load(&gateway).unwrap());
    hub.receive(&load(&gateway).unwrap());
    write(&alarms, b"fire");
    let next = load(&gateway).unwrap();
    assert_eq!(&next[..8], b"\x00\x01\x00\x04fire", "before any more of the history");
    assert!(next.len() <= MAX_PIECE + 16, "and not much with it: {}", next.len());
}

#[test]
fn nobody_sends_more_than_the_other_side_takes_and_goes_on_when_it_was_read() {
    let (gateway, hub) = pair();
    let (up, _down) = gateway.open(0).unwrap();
    let (mut written, mut got) = (0, 0);
    let mut reader = None;
    for _ in 0..200 {
        written += write(&up, &vec![7; 50_000]);
        carry(&gateway, &hub);
        reader = reader.or_else(|| accepted(&hub));
    }
    assert!(written <= (64 << 10) + (64 << 10), "{written}: what is unsent, and what is unread");
    let (_answer, reader) = reader.unwrap();
    for _ in 0..200 {
        got += read(&reader).unwrap().len();
        written += write(&up, &vec![7; 50_000]);
        carry(&gateway, &hub);
    }
    assert!(got > 5_000_000, "{got}");
    assert!(written - got <= 2 * (64 << 10));
}

#[test]
fn a_refusal_that_came_before_the_end_is_still_read_and_the_end_has_its_reason() {
    let (gateway, hub) = pair();
    let (up, down) = gateway.open(0).unwrap();
    write(&up, b"hello");
    carry(&gateway, &hub);
    let (answer, _ask) = accepted(&hub).unwrap();
    write(&answer, b"refused");
    answer.finish();
    assert!(answer.poll_drained(&cx()).is_pending());
    gateway.receive(&load(&hub).unwrap());
    assert!(answer.poll_drained(&cx()).is_ready());
    hub.close(1, "被拒绝".as_bytes());
    hub.close(0, b"another word");
    carry(&gateway, &hub);
    assert_eq!(read(&down).unwrap(), b"refused");
    let Some(Closed::Peer { code, reason }) = gateway.closed() else { panic!("{:?}", gateway.closed()) };
    assert_eq!((code, reason.as_str()), (1, "被拒绝"));
    let Poll::Ready(Err(e)) = up.poll_write(&cx(), b"more") else { panic!("written") };
    assert!(e.to_string().contains("被拒绝"), "{e}");
    assert!(gateway.open(0).is_none());
}

#[test]
fn of_datagrams_that_cannot_leave_only_the_newest_are_kept() {
    let (gateway, hub) = pair();
    for i in 0..100_u8 {
        gateway.send_datagram(vec![i; 1000]);
    }
    gateway.send_datagram(vec![0; MAX_PIECE + 1]);
    carry(&gateway, &hub);
    let mut seen = Vec::new();
    while let Poll::Ready(Ok(bytes)) = hub.poll_datagram(&cx()) {
        seen.push(bytes[0]);
    }
    assert_eq!(seen, (84..100).collect::<Vec<_>>());
}

#[test]
fn a_stranger_has_one_stream_and_sixteen_kilobytes() {
    let hub = || Link::new(Side::Hub, Trust::STRANGER);
    let data = |id: u8, n: u16| [&[0, id][..], &n.to_be_bytes(), &vec![0; usize::from(n)]].concat();
    let breach = |bytes: &[Vec<u8>]| {
        let hub = hub();
        for piece in bytes {
            hub.receive(piece);
        }
        match hub.closed() {
            Some(Closed::Breach(breach)) => Some(breach),
            _ => None,
        }
    };
    assert_eq!(breach(&[data(0, 8192), data(0, 8192)]), None);
    assert_eq!(breach(&[data(0, 8192), data(0, 8192), data(0, 1)]), Some(Breach::Flooded(0)));
    assert_eq!(breach(&[data(0, 1), data(1, 1)]), Some(Breach::Stream(1)));
    // Once it is known it gets the others, and more room.
    let hub = hub();
    hub.receive(&data(0, 1));
    hub.trust(FULL);
    assert_eq!(load(&hub).unwrap(), [2, 0, 0, 4, 0, 0, 0xc0, 0], "16 KiB to 64: one byte of them is unread");
    hub.receive(&data(3, 1));
    assert!(hub.closed().is_none());
    assert_eq!((0..5).map_while(|_| accepted(&hub)).count(), 4, "and those before it");
    hub.receive(&data(8, 1));
    assert!(matches!(hub.closed(), Some(Closed::Breach(Breach::Stream(8)))));
    let told = load(&hub).unwrap();
    assert_eq!((&told[..2], &told[4..8]), (&[6, 0][..], &[0, 0, 0, 2][..]), "and is told why");
}

#[test]
fn fault_h7_what_no_correct_peer_sends_ends_the_connection() {
    let (gateway, _) = pair();
    let opened = gateway.open(0).unwrap();
    let cases: [(&[u8], Breach); 9] = [
        (&[9, 0, 0, 0], Breach::Kind(9)),
        (&[0, 0, 0, 0], Breach::Length(0, 0)),
        (&[0, 0, 0xff, 0xff], Breach::Length(0, 65_535)),
        (&[3, 0, 0, 1], Breach::Length(3, 1)),
        (&[2, 0, 0, 3], Breach::Length(2, 3)),
        (&[6, 0, 0, 2], Breach::Length(6, 2)),
        (&[0, 200, 0, 1, 0], Breach::Stream(200)),
        (&[2, 0, 0, 4, 0xff, 0xff, 0xff, 0xff], Breach::Stream(0)),
        (&[0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0], Breach::AfterEnd(0)),
    ];
    for (bytes, wanted) in cases {
        let hub = Link::new(Side::Hub, FULL);
        hub.receive(bytes);
        assert!(
            matches!(hub.closed(), Some(Closed::Breach(b)) if b == wanted),
            "{bytes:?}: {:?}",
            hub.closed()
        );
    }
    gateway.receive(&[2, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(gateway.closed(), Some(Closed::Breach(Breach::Flooded(0)))));
    drop(opened);
    let (gateway, _) = pair();
    gateway.receive(&[0, 0, 0, 1, 0]);
    assert!(matches!(gateway.closed(), Some(Closed::Breach(Breach::Stream(0)))), "a hub opens none");
}

#[test]
fn a_peer_that_nobody_reads_any_more_may_still_send_what_it_was_granted() {
    let (gateway, hub) = pair();
    let (up, _down) = gateway.open(0).unwrap();
    write(&up, b"x");
    carry(&gateway, &hub);
    drop(accepted(&hub).unwrap());
    for _ in 0..10 {
        write(&up, &vec![0; 50_000]);
        carry(&gateway, &hub);
    }
    assert!(hub.closed().is_none() && gateway.closed().is_none());
}

#[test]
fn a_dropped_writer_has_finished() {
    let (gateway, hub) = pair();
    let (up, _down) = gateway.open(0).unwrap();
    write(&up, b"last");
    drop(up);
    carry(&gateway, &hub);
    let (_answer, reader) = accepted(&hub).unwrap();
    assert_eq!(read(&reader).unwrap(), b"last");
    assert_eq!(read(&reader), None);
}

proptest! {
    #[test]
    fn no_bytes_of_a_peer_are_a_panic(bytes in proptest::collection::vec(0u8..10, 0..400), cut in 1usize..50) {
        let hub = Link::new(Side::Hub, FULL);
        for piece in bytes.chunks(cut) {
            hub.receive(piece);
        }
        while let Some(bytes) = load(&hub) && !bytes.is_empty() {}
        while let Some((_writer, reader)) = accepted(&hub) {
            read(&reader);
        }
    }

    #[test]
    fn streams_carry_what_was_written_in_its_order(
        writes in proptest::collection::vec((0usize..4, 1usize..30_000), 1..30),
    ) {
        let (gateway, hub) = pair();
        let opened: Vec<_> = (0..4).map(|i| gateway.open(i).unwrap()).collect();
        // In their order: a stream is known by its first byte.
        for (writer, _) in &opened {
            write(writer, &[255]);
        }
        carry(&gateway, &hub);
        let taken: Vec<_> = (0..4).map(|_| accepted(&hub).unwrap()).collect();
        let mut sent = vec![vec![255]; 4];
        let mut got = vec![Vec::new(); 4];
        for (turn, (id, n)) in writes.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..n).map(|i| (i + turn) as u8).collect();
            let n = write(&opened[id].0, &bytes);
            sent[id].extend_from_slice(&bytes[..n]);
            carry(&gateway, &hub);
            taken.iter().zip(&mut got).for_each(|((_, reader), got)| got.extend(read(reader).unwrap()));
        }
        carry(&gateway, &hub);
        taken.iter().zip(&mut got).for_each(|((_, reader), got)| got.extend(read(reader).unwrap()));
        prop_assert_eq!(sent, got);
    }
}
