//! `steward-edge ledger`: the counters of the daemon that runs, and a person's word that a meter was replaced.

use super::args::{Ledger, LedgerAct, Told};
use super::out::Out;
use super::table::table;
use super::text::Lang;
use crate::config::load;
use crate::control::{Answer, Request, ask};
use crate::refine::{Account, ConfirmFault, What};

/// Says what the counters show, or does what was asked with one.
pub fn ledger(args: Ledger, out: Out) -> Result<(), String> {
    let Ledger { told, act } = args;
    let request = match act.unwrap_or(LedgerAct::List { of: None }) {
        LedgerAct::List { of } => Request::Ledgers { of },
        LedgerAct::Confirm { of, start, end } => Request::Confirm { of, start, end },
    };
    match put(&told, out.lang, &request)? {
        Answer::Ledgers(accounts) => {
            out.text(shown(&accounts, out.lang));
            out.value(&accounts);
            Ok(())
        }
        Answer::Refused(fault) => Err(refused(&fault, out.lang)),
        Answer::Redecoded(_) | Answer::Commands(_) => {
            Err(out.lang.pick("回答不对", "the answer is not one to this question").to_owned())
        }
        Answer::Failed(why) => Err(format!("{}: {why}", out.lang.pick("没有做成", "it was not done"))),
    }
}

fn put(told: &Told, lang: Lang, request: &Request) -> Result<Answer, String> {
    let data = match &told.data {
        Some(data) => data.clone(),
        None => load(&told.config).map_err(|faults| steward_shared::document::listing(&faults))?.data,
    };
    ask(&data, request).map_err(|e| match lang {
        Lang::Zh => {
            format!("{} 中的 steward-edge 没有回答：它在运行吗？您有权写它的数据目录吗？", data.display())
        }
        Lang::En => e.to_string(),
    })
}

fn shown(accounts: &[Account], lang: Lang) -> String {
    if accounts.is_empty() {
        return lang.pick("没有计数器", "there are no counters").to_owned();
    }
    let head = match lang {
        Lang::Zh => ["计数器", "表底数", "累计", "读数时间", "状态"],
        Lang::En => ["counter", "shows", "total", "read at", "state"],
    };
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(accounts.iter().map(|a| row(a, lang)));
    let mut text = table(&rows);
    for account in accounts.iter().filter(|a| !a.entries.is_empty()) {
        text.push_str("\n\n");
        text.push_str(&entries(account, lang));
    }
    text
}

fn row(a: &Account, lang: Lang) -> Vec<String> {
    let state = match (a.held, a.held_since) {
        (Some(held), Some(since)) => match lang {
            Lang::Zh => format!("暂扣：自 {since} 起显示 {}，请确认", number(a, held)),
            Lang::En => format!("held back: shows {} since {since}, confirm it", number(a, held)),
        },
        _ if a.shown.is_none() => lang.pick("尚未读到", "not read yet").to_owned(),
        _ => lang.pick("正常", "counted").to_owned(),
    };
    let some = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| number(a, value));
    let at = a.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    vec![format!("{}/{}", a.device, a.point), some(a.shown), some(a.total), at, state]
}

fn entries(account: &Account, lang: Lang) -> String {
    let head = match lang {
        Lang::Zh => ["时间", "事由", "之前", "之后"],
        Lang::En => ["at", "what", "before", "after"],
    };
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(account.entries.iter().map(|e| {
        let what = match e.what {
            What::RolledOver => lang.pick("满度归零", "rolled over"),
            What::Replaced => lang.pick("换表（由后续读数判定）", "replaced, as its values showed"),
            What::Confirmed => lang.pick("换表（人工确认）", "replaced, as a person said"),
            What::Ratio => lang.pick("变比改变", "ratio changed"),
        };
        vec![e.at.to_string(), what.to_owned(), number(account, e.before), number(account, e.after)]
    }));
    table(&rows)
}

fn number(a: &Account, value: f64) -> String {
    format!("{value:.*} {}", usize::from(a.decimals), a.unit).trim_end().to_owned()
}

fn refused(fault: &ConfirmFault, lang: Lang) -> String {
    match (lang, fault) {
        (Lang::En, fault) => fault.to_string(),
        (Lang::Zh, ConfirmFault::Unknown(of)) => format!("没有计数器 {of}；用 steward-edge ledger 列出全部"),
        (Lang::Zh, ConfirmFault::NotRead) => "该计数器还没有读到过".to_owned(),
        (Lang::Zh, ConfirmFault::StartAbove { shown, start }) => {
            format!("计数器现在显示 {shown}，小于起始值 {start}；请给出新表装上时的读数")
        }
        (Lang::Zh, ConfirmFault::EndMissing) => {
            "计数器没有跳变；请用 --end 同时给出旧表的最后读数".to_owned()
        }
    }
}
