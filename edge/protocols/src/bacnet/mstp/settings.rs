//! How a node behaves on its line (ASHRAE 135, clause 9.5.3), and what it counts.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// This station: 0 to 127, for it is a master (TS).
    pub mac: u8,
    /// The highest address at which a master is looked for (Nmax_master); not below `mac`.
    pub max_master: u8,
    /// Frames with data that are sent before the token is passed on (Nmax_info_frames).
    pub max_info_frames: u8,
    pub baud: u32,
    /// Silence after which the token is taken for lost (T_no_token).
    pub no_token: Duration,
    /// The time in which one station may make a new token, by its address (T_slot).
    pub slot: Duration,
    /// How long the answer to a request may begin after it, at most (T_reply_timeout).
    pub reply_timeout: Duration,
    /// How long whoever has been given the token, or asked whether it is there, may be silent (T_usage_timeout).
    pub usage_timeout: Duration,
    /// How long an answer of ours may be in coming before it is postponed (T_reply_delay).
    pub reply_delay: Duration,
    /// Silence within a frame after which it is given up, beyond 60 bit times (T_frame_abort): a port hands octets on in
    /// chunks.
    pub chunk_gap: Duration,
    /// NPDUs that wait for the token, at most.
    pub queue: usize,
    /// How long they wait, at most.
    pub patience: Duration,
}

impl Settings {
    /// The standard's figures; where it leaves room upwards, the longest, for a program is slower than a chip.
    pub const fn new(mac: u8, baud: u32) -> Self {
        Self {
            mac,
            max_master: 127,
            max_info_frames: 1,
            baud,
            no_token: Duration::from_millis(500),
            slot: Duration::from_millis(10),
            reply_timeout: Duration::from_millis(300),
            usage_timeout: Duration::from_millis(35),
            reply_delay: Duration::from_millis(250),
            chunk_gap: Duration::from_millis(20),
            queue: 256,
            patience: Duration::from_mins(1),
        }
    }

    /// So many bits on the line.
    pub fn bits(&self, bits: u32) -> Duration {
        Duration::from_secs(1) * bits / self.baud.max(1)
    }

    /// So many octets: each has a start and a stop bit.
    pub fn octets(&self, octets: usize) -> Duration {
        self.bits(octets as u32 * 10)
    }

    /// Silence before this station may drive the line (T_turnaround).
    pub fn turnaround(&self) -> Duration {
        self.bits(40)
    }

    pub fn frame_abort(&self) -> Duration {
        self.bits(60) + self.chunk_gap
    }

    /// The address behind this one.
    pub const fn next(&self, mac: u8) -> u8 {
        if mac >= self.max_master { 0 } else { mac + 1 }
    }
}

/// What has happened on the line, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that were heard whole, whomever they were for.
    pub frames: u64,
    /// Headers whose checksum is wrong.
    pub bad_headers: u64,
    /// Frames for us whose data's checksum is wrong, or that are longer than any may be.
    pub bad_data: u64,
    /// Frames that broke off.
    pub cut: u64,
    /// Tokens that this station has held.
    pub tokens: u64,
    /// Tokens that got lost: half a second of silence.
    pub lost: u64,
    /// Times that the next station did not take the token, twice.
    pub successors_lost: u64,
    /// Frames of somebody else under our address.
    pub duplicates: u64,
    /// Requests to which nobody said anything in time.
    pub unanswered: u64,
    /// Answers that were postponed by whoever was asked.
    pub postponed: u64,
    /// NPDUs that were not sent: too many or too long waiting.
    pub unsent: u64,
    /// NPDUs that came faster than they were taken.
    pub untaken: u64,
    /// Frames of ours that came back from the adapter.
    pub echoes: u64,
}
