//! A machine without a certificate: one question, one answer, and the connection ends.

use steward_shared::wire::message::{Enrol, EnrolAnswer, EnrolRefusal};

use super::endpoint::Door;
use super::frames::{self, PROMPT};
use super::road::{Road, code};

/// A request is about one kilobyte.
const MOST: usize = 16 << 10;

pub async fn serve(door: &Door, road: &Road) {
    let from = road.remote_address();
    let Ok(Some((mut send, mut recv))) = tokio::time::timeout(PROMPT, road.accept()).await else {
        road.close(code::PROTOCOL, b"an enrolment opens one stream");
        return;
    };
    let answer = if door.may_try(from.ip()) {
        match frames::prompt_of::<Enrol>(MOST, &mut recv).await {
            Ok(ask) => answer(door, &ask, &from.ip().to_string()).await,
            Err(e) => {
                tracing::warn!(error = %e, %from, "an enrolment could not be read");
                Some(EnrolAnswer::Refused(EnrolRefusal::BadRequest))
            }
        }
    } else {
        tracing::warn!(%from, "too many enrolments from this address");
        Some(EnrolAnswer::Refused(EnrolRefusal::SlowDown))
    };
    match answer {
        Some(answer) => {
            frames::send_last(&mut send, &answer).await;
            road.close(code::DONE, b"");
        }
        None => road.close(code::BUSY, b"the hub cannot enrol at present; try again"),
    }
}

/// None when the hub could not decide.
async fn answer(door: &Door, ask: &Enrol, from: &str) -> Option<EnrolAnswer> {
    match door.fleet.enrol(ask, from).await {
        Ok(Ok(enrolled)) => Some(EnrolAnswer::Accepted(enrolled)),
        Ok(Err(refusal)) => {
            tracing::warn!(?refusal, from, "an enrolment was refused");
            Some(EnrolAnswer::Refused(refusal))
        }
        Err(e) => {
            tracing::error!(error = %e, "an enrolment could not be stored");
            None
        }
    }
}
