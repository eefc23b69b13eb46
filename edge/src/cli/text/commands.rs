//! What `commands` says.

use std::path::Path;

use super::{Lang, texts};

texts! {
    nobody(data: &Path, why: &str)
        zh("{} 中的 steward-edge 没有回答：它在运行吗？您有权写它的数据目录吗？（{why}）", data.display())
        en("no steward-edge answers in {}: is it running, and may you write into its data folder? ({why})", data.display())
    failed(why: &str) zh("没有做成：{why}") en("it was not done: {why}")
    wrong_answer() zh("回答不对") en("the answer is not one to this question")
    none() zh("服务器还没有发来命令") en("the hub has sent no commands yet")
}

pub const HEAD: [(&str, &str); 9] = [
    ("收到", "received"),
    ("点位", "point"),
    ("值", "value"),
    ("谁", "by"),
    ("结果", "state"),
    ("之前", "before"),
    ("现在", "now"),
    ("恢复时间", "given up at"),
    ("事由", "why"),
];

/// A stage's or reason's word, in Chinese and English.
const WORDS: &[(&str, &str, &str)] = &[
    ("received", "已收到", "received"),
    ("refused", "已拒绝", "refused"),
    ("expired", "已过期", "expired"),
    ("written", "已写入", "written"),
    ("confirmed", "已确认", "confirmed"),
    ("not_effective", "未生效", "not effective"),
    ("relinquished", "已恢复", "given up"),
    ("not_relinquished", "尚未恢复", "not given up yet"),
    ("no_such_point", "没有这个点位", "no such point"),
    ("not_writable", "设备档案不允许写", "its profile does not let it be written"),
    ("not_allowed", "网关文件不允许远程写", "the gateway's file does not allow it"),
    ("out_of_range", "超出范围", "out of range"),
    ("bad_priority", "优先级不允许", "no priority for commands"),
    ("needs_two_persons", "需要第二人同意", "a second person must agree"),
    ("needs_time_box", "必须写明恢复时间", "it must come back by itself"),
    ("bad_times", "时间不对", "its times are wrong"),
    ("clock", "网关时钟落后", "the gateway's clock is behind"),
    ("before_record", "早于网关的命令记录", "from before the gateway's record"),
    ("unexpected_value", "现值与预期不同", "the point shows another value than expected"),
    ("held", "点位已被占用", "somebody holds the point"),
    ("too_often", "写得太频繁", "too often"),
    ("cancelled", "写入前已撤销", "given up before it was written"),
    ("no_answer", "设备没有应答", "the device does not answer"),
    ("device_refused", "设备拒绝", "the device says no"),
    ("ignored", "设备没有照做", "the device ignores it"),
    ("overridden", "更高的优先级在控制", "a higher priority commands it"),
    ("interrupted", "写入被中断，不再重写", "interrupted; not written again"),
    ("not_stored", "记录无法保存", "its record cannot be kept"),
    ("restored", "原值已恢复", "what stood before stands again"),
    ("changed_since", "已被他人改动，保持不变", "somebody else has written since"),
];

fn word(lang: Lang, word: &str) -> &str {
    WORDS.iter().find(|(known, ..)| *known == word).map_or(word, |(_, zh, en)| lang.pick(zh, en))
}

pub fn stage(lang: Lang, stage: &str) -> &str {
    word(lang, stage)
}

pub fn reason(lang: Lang, reason: &str) -> &str {
    word(lang, reason)
}

#[cfg(test)]
mod tests {
    use steward_shared::wire::command::Stage;

    use super::*;

    #[test]
    fn every_stage_has_its_words() {
        for stage in Stage::ALL {
            assert!(WORDS.iter().any(|(word, ..)| *word == stage.word()), "{stage:?}");
        }
        assert_eq!(stage(Lang::En, "of_a_newer_version"), "of_a_newer_version");
    }
}
