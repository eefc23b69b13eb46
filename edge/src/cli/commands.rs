//! `steward-edge commands`: what the hub wanted written, as the daemon that runs has it on its disk.

use steward_shared::document::listing;

use super::args::Commands;
use super::out::Out;
use super::table::table;
use super::text::commands as text;
use crate::command::Account;
use crate::config::load;
use crate::control::{Answer, Request, ask};

pub fn commands(args: &Commands, out: Out) -> Result<(), String> {
    let data = match &args.told.data {
        Some(data) => data.clone(),
        None => load(&args.told.config).map_err(|faults| listing(&faults))?.data,
    };
    let answer = ask(&data, &Request::Commands { most: args.most });
    match answer.map_err(|e| text::nobody(out.lang, &data, &e.to_string()))? {
        Answer::Commands(commands) => {
            out.text(shown(&commands, out));
            out.value(&commands);
            Ok(())
        }
        Answer::Failed(why) => Err(text::failed(out.lang, &why)),
        Answer::Ledgers(_) | Answer::Refused(_) | Answer::Redecoded(_) => Err(text::wrong_answer(out.lang)),
    }
}

fn shown(commands: &[Account], out: Out) -> String {
    if commands.is_empty() {
        return text::none(out.lang);
    }
    let mut rows = vec![text::HEAD.map(|(zh, en)| out.lang.pick(zh, en).to_owned()).to_vec()];
    for c in commands {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let stage = text::stage(out.lang, &c.stage);
        let stage = match &c.reason {
            Some(reason) => format!("{stage}: {}", text::reason(out.lang, reason)),
            None => stage.to_owned(),
        };
        let by = match &c.approver {
            Some(approver) => format!("{} + {approver}", c.by),
            None => c.by.clone(),
        };
        rows.push(vec![
            c.received.to_string(),
            c.point.clone().unwrap_or_else(|| "-".to_owned()),
            number(c.value),
            by,
            stage,
            number(c.before),
            number(c.now),
            c.relinquish_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
            c.why.clone(),
        ]);
    }
    table(&rows)
}
