//! Why a value on the command line is not taken, in Chinese. The English stands with whoever reads the value.

use std::error::Error;
use std::net::AddrParseError;
use std::num::{ParseFloatError, ParseIntError};

use steward_shared::time::NotAnInstant;

use super::super::words::Unfit;
use crate::lab::{BreakFault, WORDS};

/// Why, and what may be written; none for a reason that has no Chinese.
pub fn zh(why: &(dyn Error + 'static)) -> Option<String> {
    if let Some(unfit) = why.downcast_ref::<Unfit>() {
        let told = match unfit {
            Unfit::Time => "这不是时间；可以写 500ms、60s、5min 或 2h",
            Unfit::Instances => "这不是实例号的范围；可以写 1000-1999",
            Unfit::Addresses => "这不是地址；可以写 1-32,100",
            Unfit::Port => "这不是主机的端口；冒号后写 1 到 65535，如 10.0.0.20:502",
            Unfit::SerialPort => "这不是主机；串口要写路径，如 /dev/ttyUSB0 或 /dev/ttyS0",
        };
        return Some(told.to_owned());
    }
    if let Some(fault) = why.downcast_ref::<BreakFault>() {
        let words = WORDS.join("、");
        return Some(match fault {
            BreakFault::Word(word) => format!("没有“{word}”这种设备故障；可以写 {words}"),
            BreakFault::Option(word) => {
                format!("“{word}”不是故障的选项；可以写 share=0.5、by=200ms、code=4 或 for=30s")
            }
            BreakFault::Empty => format!("没有写是什么故障；开头可以写 {words}"),
        });
    }
    let kinds: [(bool, &str); 4] = [
        (why.is::<NotAnInstant>(), "这不是时刻；按 RFC 3339 写，如 2026-04-17T08:00:00+08:00"),
        (why.is::<ParseIntError>(), "要写整数"),
        (why.is::<ParseFloatError>(), "要写数字，如 0.5"),
        (why.is::<AddrParseError>(), "要写 IP 地址和端口，如 127.0.0.1:8080"),
    ];
    if let Some((_, told)) = kinds.into_iter().find(|(is_it, _)| *is_it) {
        return Some(told.to_owned());
    }
    // What clap says of a number: "300 is not in 0..=255".
    let told = why.to_string();
    let (least, most) = told.split_once(" is not in ")?.1.split_once("..")?;
    Some(format!("要在 {least} 到 {} 之间", most.trim_start_matches('=')))
}
