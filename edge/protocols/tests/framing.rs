//! The golden frames, tried whole, byte by byte, cut in two, two at once, with noise, with a broken check sum,
//! cut short and oversized.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use steward_protocols::exchange::{Exchange, Fault, Progress, Refusal};
use steward_protocols::modbus::{Exception, Request, Response, crc, rtu, tcp};
use steward_shared::profile::Table;

struct Golden {
    source: String,
    request: Vec<u8>,
    answer: Vec<u8>,
    reply: Result<Response, Exception>,
}

fn golden(text: &str) -> Vec<Golden> {
    let mut all = Vec::new();
    let (mut source, mut request, mut answer) = (String::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        let bytes = |hex: &str| hex.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect();
        match line.split_at_checked(2) {
            Some(("# ", rest)) => rest.clone_into(&mut source),
            Some(("> ", rest)) => request = bytes(rest),
            Some(("< ", rest)) => answer = bytes(rest),
            Some(("= ", rest)) => {
                let (kind, rest) = rest.split_once(' ').unwrap();
                let reply = match kind {
                    "bits" => Ok(Response::Bits(rest.chars().map(|c| c == '1').collect())),
                    "exception" => Err(Exception(rest.parse().unwrap())),
                    _ => Ok(Response::Registers(
                        rest.split_whitespace().map(|w| u16::from_str_radix(w, 16).unwrap()).collect(),
                    )),
                };
                let (source, request, answer) = (source.clone(), request.clone(), answer.clone());
                all.push(Golden { source, request, answer, reply });
            }
            _ => assert!(line.is_empty(), "{line}"),
        }
    }
    assert!(all.len() >= 4);
    all
}

fn request(body: &[u8]) -> Request {
    let [unit, function, a, b, c, d, ..] = *body else { panic!("{body:?}") };
    let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
    let table = tables.into_iter().find(|t| t.function() == function).unwrap();
    Request::new(unit, table, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])).unwrap()
}

fn rtu_golden() -> Vec<(Golden, Request)> {
    golden(include_str!("../frames/modbus-rtu.txt"))
        .into_iter()
        .map(|g| {
            let request = request(&g.request);
            (g, request)
        })
        .collect()
}

fn tcp_golden() -> Vec<(Golden, Request, u16)> {
    golden(include_str!("../frames/modbus-tcp.txt"))
        .into_iter()
        .map(|g| {
            let request = request(&g.request[6..]);
            let number = u16::from_be_bytes([g.request[0], g.request[1]]);
            (g, request, number)
        })
        .collect()
}

type Said = Result<Result<Response, Refusal>, Progress>;

fn done(reply: &Result<Response, Exception>) -> Result<Response, Refusal> {
    reply.clone().map_err(Into::into)
}

/// What the device said, or how far its answer has come.
fn said(request: Request, progress: Progress) -> Said {
    match progress {
        Progress::Reply(Ok(data)) => Ok(Ok(Response::of(request.table(), request.count(), &data))),
        Progress::Reply(Err(refusal)) => Ok(Err(refusal)),
        other => Err(other),
    }
}

#[test]
fn rtu_frames_are_made_and_read_as_the_sources_print_them() {
    for (g, request) in rtu_golden() {
        assert_eq!(rtu::encode(&request), g.request, "{}", g.source);
        assert_eq!(
            said(request, rtu::Decoder::new(request).received(&g.answer)),
            Ok(done(&g.reply)),
            "{}",
            g.source
        );
    }
}

#[test]
fn tcp_frames_are_made_and_read_as_the_sources_print_them() {
    for (g, request, number) in tcp_golden() {
        assert_eq!(tcp::encode(&request, number), g.request, "{}", g.source);
        assert_eq!(
            said(request, tcp::Decoder::new(request, number).received(&g.answer)),
            Ok(done(&g.reply)),
            "{}",
            g.source
        );
    }
}

#[test]
fn an_answer_may_come_byte_by_byte_or_cut_anywhere() {
    for (g, request) in rtu_golden() {
        for cut in 0..=g.answer.len() {
            let mut decoder = rtu::Decoder::new(request);
            let (head, tail) = g.answer.split_at(cut);
            let first = decoder.received(head);
            if cut < g.answer.len() {
                assert_eq!(first, Progress::More, "{} cut at {cut}", g.source);
                assert_eq!(
                    said(request, decoder.received(tail)),
                    Ok(done(&g.reply)),
                    "{} cut at {cut}",
                    g.source
                );
            }
        }
        let mut decoder = rtu::Decoder::new(request);
        let steps: Vec<_> = g.answer.iter().map(|b| decoder.received(&[*b])).collect();
        assert!(steps[..steps.len() - 1].iter().all(|s| *s == Progress::More), "{}", g.source);
        assert_eq!(said(request, steps.last().unwrap().clone()), Ok(done(&g.reply)), "{}", g.source);
    }
    for (g, request, number) in tcp_golden() {
        let mut decoder = tcp::Decoder::new(request, number);
        let steps: Vec<_> = g.answer.iter().map(|b| decoder.received(&[*b])).collect();
        assert!(steps[..steps.len() - 1].iter().all(|s| *s == Progress::More), "{}", g.source);
        assert_eq!(said(request, steps.last().unwrap().clone()), Ok(done(&g.reply)), "{}", g.source);
    }
}

#[test]
fn two_answers_at_once_are_no_answer_on_a_serial_line() {
    for (g, request) in rtu_golden() {
        let twice = [g.answer.clone(), g.answer.clone()].concat();
        let bytes = g.answer.len();
        let got = rtu::Decoder::new(request).received(&twice);
        assert_eq!(got, Progress::Bad(Fault::Trailing { bytes }), "{}", g.source);
    }
}

#[test]
fn two_answers_at_once_on_tcp_give_the_first_and_tell_of_the_rest() {
    for (g, request, number) in tcp_golden() {
        let mut decoder = tcp::Decoder::new(request, number);
        assert_eq!(
            said(request, decoder.received(&[g.answer.clone(), g.answer.clone()].concat())),
            Ok(done(&g.reply))
        );
        assert_eq!(decoder.trailing(), g.answer.len(), "{}", g.source);
    }
}

#[test]
fn noise_of_the_turn_around_is_skipped_on_both_sides() {
    for (g, request) in rtu_golden() {
        for noise in [&[0x00][..], &[0xFF, 0x00, 0xFF], &[g.request[0]], &[g.request[0], g.request[1]]] {
            let bytes = [noise, &g.answer[..], &[0xFF]].concat();
            assert_eq!(
                said(request, rtu::Decoder::new(request).received(&bytes)),
                Ok(done(&g.reply)),
                "{} {noise:?}",
                g.source
            );
        }
    }
}

#[test]
fn a_line_that_hears_itself_still_gives_the_answer() {
    for (g, request) in rtu_golden() {
        let mut decoder = rtu::Decoder::new(request);
        assert_eq!(decoder.received(&g.request), Progress::More, "{}", g.source);
        assert_eq!(said(request, decoder.received(&g.answer)), Ok(done(&g.reply)), "{}", g.source);
    }
    // The frame of this request has unit, function, byte count and check sum of an answer to it.
    let request = Request::new(1, Table::Coil, 0x0313, 19).unwrap();
    let mut decoder = rtu::Decoder::new(request);
    assert_eq!(decoder.received(&rtu::encode(&request)), Progress::More);
    assert_eq!(decoder.verdict(), None, "an echo alone is no reply at all");
}

#[test]
fn fault_b4_a_broken_check_sum_is_never_a_value() {
    for (g, request) in rtu_golden() {
        for bit in 0..g.answer.len() * 8 {
            let mut bytes = g.answer.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut decoder = rtu::Decoder::new(request);
            let got = decoder.received(&bytes);
            assert!(!matches!(got, Progress::Reply(_)), "{} bit {bit}: {got:?}", g.source);
            assert!(decoder.verdict().is_some(), "{} bit {bit}", g.source);
        }
    }
}

#[test]
fn fault_b4_a_short_frame_is_never_a_value() {
    for (g, request) in rtu_golden() {
        for len in 0..g.answer.len() {
            let mut decoder = rtu::Decoder::new(request);
            assert_eq!(decoder.received(&g.answer[..len]), Progress::More, "{}", g.source);
            assert_eq!(decoder.verdict().is_some(), len > 0, "{} at {len}", g.source);
        }
    }
}

#[test]
fn fault_b4_an_answer_of_another_unit_or_function_is_never_a_value() {
    for (g, request) in rtu_golden() {
        for (place, value) in [(0, g.answer[0] ^ 1), (1, g.answer[1] ^ 7)] {
            let mut bytes = g.answer[..g.answer.len() - 2].to_vec();
            bytes[place] = value;
            bytes.extend(crc(&bytes).to_le_bytes());
            let mut decoder = rtu::Decoder::new(request);
            assert_eq!(decoder.received(&bytes), Progress::More, "{}", g.source);
            let verdict = decoder.verdict();
            let told = matches!(verdict, Some(Fault::Unit { .. } | Fault::Function { .. }));
            assert!(told, "{}: {verdict:?}", g.source);
            assert!(decoder.skip_foreign());
            assert_eq!(
                said(request, decoder.received(&g.answer)),
                Ok(done(&g.reply)),
                "{}: the right one comes after it",
                g.source
            );
        }
    }
}

#[test]
fn fault_b5_a_byte_count_that_lies_is_never_a_value_though_its_check_sum_is_right() {
    let request = Request::new(1, Table::Holding, 0, 2).unwrap();
    for lie in [0_u8, 2, 3, 5, 6, 255] {
        let mut frame = vec![1, 3, lie, 0, 1, 0, 2];
        frame.extend(crc(&frame).to_le_bytes());
        let mut decoder = rtu::Decoder::new(request);
        assert!(!matches!(decoder.received(&frame), Progress::Reply(_)), "{lie}");
        assert!(matches!(decoder.verdict(), Some(Fault::Length { .. })), "{lie} {:?}", decoder.verdict());
        let tcp = [&[0, 1, 0, 0, 0, 7, 1, 3, lie, 0, 1, 0, 2][..]].concat();
        let got = tcp::Decoder::new(request, 1).received(&tcp);
        assert!(matches!(got, Progress::Bad(Fault::Length { .. })), "{lie} {got:?}");
    }
}

#[test]
fn fault_b4_on_tcp_another_number_unit_or_protocol_is_never_a_value() {
    for (g, request, number) in tcp_golden() {
        for place in [0, 1, 2, 3, 6, 7] {
            let mut bytes = g.answer.clone();
            bytes[place] ^= 1;
            let got = tcp::Decoder::new(request, number).received(&bytes);
            assert!(matches!(got, Progress::Bad(_)), "{} byte {place}: {got:?}", g.source);
        }
    }
}

#[test]
fn oversized_input_ends_instead_of_growing() {
    let request = Request::new(1, Table::Holding, 0, 125).unwrap();
    let mut decoder = rtu::Decoder::new(request);
    let mut ended = false;
    for _ in 0..100 {
        ended |= matches!(decoder.received(&[0xAA; 100]), Progress::Bad(Fault::Noise { .. }));
    }
    assert!(ended);
    let huge = [0, 1, 0, 0, 0xFF, 0xFF, 1, 3];
    assert!(matches!(tcp::Decoder::new(request, 1).received(&huge), Progress::Bad(Fault::Length { .. })));
    let tiny = [0, 1, 0, 0, 0, 0, 1, 3];
    assert!(matches!(tcp::Decoder::new(request, 1).received(&tiny), Progress::Bad(Fault::Length { .. })));
}
