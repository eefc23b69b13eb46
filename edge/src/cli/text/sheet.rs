//! What a commissioning sheet says.

use super::common::counted;
use super::{Lang, texts};

/// The head of the table of devices.
pub fn head(lang: Lang) -> Vec<String> {
    lang.pick(
        ["设备", "结论", "点位", "应答时间", "线路余量"],
        ["device", "verdict", "points", "turnaround", "line's margin"],
    )
    .map(str::to_owned)
    .to_vec()
}

/// A reading's quality, by its word.
pub fn quality(lang: Lang, word: &str) -> String {
    let known = match word {
        "good" => ("正常", "good"),
        "no_value" => ("设备没有此值", "no value"),
        "never_read" => ("从未读到", "never read"),
        "no_reply" => ("无应答", "no reply"),
        "bad_reply" => ("应答不可信", "bad reply"),
        "refused" => ("设备拒绝", "refused"),
        "undecodable" => ("无法解读", "undecodable"),
        "line_down" => ("线路中断", "line down"),
        "stale" => ("过时", "stale"),
        "out_of_range" => ("超出范围", "out of range"),
        "too_fast" => ("变化过快", "changes too fast"),
        "stuck" => ("停住不变", "stuck"),
        "held_back" => ("暂不采信", "held back"),
        other => (other, other),
    };
    lang.pick(known.0, known.1).to_owned()
}

texts! {
    title() zh("调试验收单") en("Commissioning sheet")
    device() zh("设备") en("Device")
    place() zh("位置") en("Place")
    model() zh("型号") en("Model")
    gateway() zh("网关") en("Gateway")
    wire() zh("线路") en("Line")
    address() zh("地址") en("Address")
    asked() zh("提问 / 无可信应答") en("Questions / without answer")
    turnaround() zh("应答时间（中位）") en("Turnaround (median)")
    margin() zh("线路余量") en("Line's margin")
    at() zh("时间") en("At")
    point() zh("点位") en("Point")
    value() zh("读到的值") en("Value read")
    state() zh("状态") en("State")
    display() zh("仪表显示") en("Meter's display")
    photo() zh("照片") en("Photo")
    installer() zh("调试人员签字、日期") en("Installer, date")
    customer() zh("验收人员签字、日期") en("Accepted by, date")
    passed() zh("合格") en("pass")
    failed() zh("不合格") en("FAIL")
    no_device(name: &str, known: &str) zh("没有设备“{name}”；有：{known}") en("there is no device \"{name}\"; there are: {known}")
    no_devices(path: &str)
        zh("{path} 里还没有设备：写上 [[line]] 和它的 [[line.device]]")
        en("{path} has no device yet: write a [[line]] with its [[line.device]]")
    cannot_write(path: &str, why: &str)
        zh("{path} 不能写入：{why}；请用 --out 写另一个文件")
        en("{path} cannot be written: {why}; name another file by --out")
    written(path: &str) zh("已写入 {path}，可直接打印") en("{path} is written, ready for printing")
    not_all_passed(failed: usize, of: usize)
        zh("{of} 台设备中有 {failed} 台不合格")
        en("{} of {of} did not pass", counted(failed, "device", "devices"))
    never_asked() zh("网关程序还没有问过它：它刚写进文件，或线路中断") en("the program has never asked it: it is new in the file, or its line is down")
    never_told() zh("还没有收到过它的消息：它刚写进文件，或主题不对，或代理连不上") en("no message of it has come yet: it is new in the file, its topic is another, or the broker is down")
    silent() zh("设备不应答") en("it does not answer")
    missing(count: usize, keys: &str) zh("{count} 个点位没有读到：{keys}") en("{} missing: {keys}", counted(count, "point is", "points are"))
    errors(share: f64) zh("{share:.1} % 的提问没有可信的应答") en("{share:.1} % of the questions had no answer that can be believed")
    no_margin(margin: f64)
        zh("线路余量只有 {margin:.0} %，至少要 20 %：请放慢周期或提高速率")
        en("the line has {margin:.0} % of its time left, and 20 % are wanted: make periods longer or the line faster")
}
