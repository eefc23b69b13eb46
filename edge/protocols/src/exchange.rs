//! One question to one device and what comes back, as bytes: what a language knows of it and the line does not.
//! The line's machine (`line.rs`) keeps silence, deadlines and quarantine; an exchange makes the frames and judges
//! what comes. It reads no clock, and whatever bytes come it neither panics nor holds more than a few frames.

use std::fmt;
use std::time::Duration;

use steward_shared::reading::Quality;

use crate::character::Character;

/// A question under way. Made anew for each question.
pub trait Exchange: Send + Sync + fmt::Debug {
    /// The frame to send now. `number` differs from that of the frames before, for languages that number theirs.
    fn frame(&mut self, number: u16) -> Vec<u8>;

    /// How the port must be set for this frame and its answer, where that is not how the device is set in the
    /// gateway's file.
    fn character(&self) -> Option<Character> {
        None
    }

    /// How the port must be set for the answer, where that differs from how the frame was sent. It may become known
    /// while the answer comes.
    fn answer_character(&self) -> Option<Character> {
        None
    }

    /// The most bytes that the answer to the frame sent last may have: their time on the wire is waited for. None where
    /// nobody answers, as to a broadcast.
    fn answer_len(&self) -> Option<usize>;

    /// How long the line may fall quiet within the answer, where the language allows more than a line's own patience.
    fn longest_pause(&self) -> Duration {
        Duration::ZERO
    }

    /// Takes bytes as they come. After anything but `More` the frame sent last is over.
    fn received(&mut self, bytes: &[u8]) -> Progress;

    /// Bytes that are held of an answer that is not whole.
    fn held(&self) -> usize;

    /// The line fell quiet over what is held. True when that was a whole frame of somebody else, or one that came
    /// late, and is forgotten: then the answer may still come.
    fn skip_foreign(&mut self) -> bool {
        false
    }

    /// What is wrong with that which came, when nothing more will. `None` when nothing came.
    fn verdict(&self) -> Option<Fault>;

    /// Whether that which came began like the answer: then the device has had its say, only damaged.
    fn began_like_the_answer(&self) -> bool {
        false
    }

    /// Bytes that came behind the answer.
    fn trailing(&self) -> usize {
        0
    }
}

/// How far an answer has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    More,
    /// Understood; the exchange goes on with another frame.
    Next,
    Reply(Reply),
    /// What came cannot become the answer any more.
    Bad(Fault),
}

/// A device's word: the contents that were asked for, as bytes that its language understands, or a refusal.
pub type Reply = Result<Vec<u8>, Refusal>;

/// A device that says no: it works, and it will not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    pub quality: Quality,
    pub about: About,
    /// In the words of the language's standard.
    pub text: String,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Another address or a smaller part may be answered.
    Place,
    /// It is a gateway's word that the device behind it did not answer.
    Absence,
    Other,
}

/// Why bytes that came are not the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the check sum is wrong")]
    CheckSum,
    #[error("the reply broke off after {bytes} bytes")]
    Short { bytes: usize },
    #[error("the reply has {got} bytes of data where {wanted} were asked for")]
    Length { wanted: usize, got: usize },
    #[error("unit {got} answered where unit {wanted} was asked")]
    Unit { wanted: u8, got: u8 },
    #[error("several devices answer at once, or something disturbs the line")]
    Collision,
    #[error("another device answered than the one that was asked")]
    Device,
    #[error("function {got} was answered where {wanted} was asked")]
    Function { wanted: u8, got: u8 },
    #[error("the reply is about something else than what was asked for")]
    Content,
    #[error("the reply bears number {got} where {wanted} was asked: it answers another request")]
    Transaction { wanted: u16, got: u16 },
    #[error("protocol {0} is not Modbus")]
    Protocol(u16),
    #[error("{bytes} bytes followed the reply: two replies to one request, or a late one")]
    Trailing { bytes: usize },
    #[error("{bytes} bytes of no known meaning")]
    Noise { bytes: usize },
}
