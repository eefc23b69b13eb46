//! The Chinese help: for each command and each of its words what clap prints. A command or word without an entry fails
//! the test in `parse.rs`; the English help is the doc comments of `args.rs`.

use super::{help_device, help_lab, texts};

/// `command` or `command.word`, and what it is.
const ZH: &[(&str, &str)] = &[
    ("", "管家的网关程序：轮询机房设备，保存每一条读数，与服务器同步"),
    ("lang", "用中文（zh）或英文（en）；不写则按 LC_ALL 或 LANG"),
    ("json", "以 JSON 输出，供程序读取；对 run 是日志的格式"),
    ("help", "显示帮助"),
    ("version", "显示版本"),
    ("run", "轮询、保存并发送，直到收到 SIGTERM；收到 SIGHUP 时重新读取网关文件"),
    ("run.bare", FILE),
    ("run.config", FILE),
    ("run.data", "读数、告警和身份放在这里，而不是文件所写的目录"),
    ("enrol", "用服务器页面给出的一次性登记码登记本网关"),
    ("enrol.config", FILE),
    ("enrol.data", "身份放在这里，而不是文件所写的目录"),
    ("enrol.code", "登记码，STW-..."),
    ("ledger", "列出计数器的账，或确认某块表已更换"),
    ("ledger.config", FILE),
    ("ledger.data", "数据目录，而不是文件所写的目录"),
    ("list", "列出全部计数器，或一个计数器的全部经过；不写子命令时即为此"),
    ("list.of", "计数器，设备/点位"),
    ("confirm", "说明计数器背后的表已更换"),
    ("confirm.of", "计数器，设备/点位"),
    ("confirm.start", "新表装上时的读数"),
    ("confirm.end", "旧表最后的读数，如与最后读到的不同"),
    ("commands", "列出服务器要求写入本网关设备的命令及其结果"),
    ("commands.config", FILE),
    ("commands.data", "数据目录，而不是文件所写的目录"),
    ("commands.most", "最多列出多少条，最新的在前"),
    ("explain", "说明一个数值的由来：字节、规则和设备档案"),
    ("explain.config", FILE),
    ("explain.data", "数据目录，而不是文件所写的目录"),
    ("explain.of", "点位，设备/点位"),
    ("explain.at", "此时刻或其前最近的数值（RFC 3339）；不写则为最新"),
    ("preview", "显示换用另一份设备档案后，最新应答会读成什么"),
    ("preview.config", FILE),
    ("preview.data", "数据目录，而不是文件所写的目录"),
    ("preview.profile", "设备档案文件，厂商/型号.toml"),
    ("preview.at", "按此时刻或其前最近的应答（RFC 3339）；不写则为最新"),
    ("redecode", "用现行档案重新解读由其他档案读过的应答，并作为更正发送"),
    ("redecode.config", FILE),
    ("redecode.data", "数据目录，而不是文件所写的目录"),
    ("redecode.since", "从哪个时刻起（RFC 3339）"),
    ("check", "检查网关文件及其设备档案，列出每一处错误的文件、行、列和解决办法"),
    ("check.bare", FILE),
    ("check.config", FILE),
];

const FILE: &str = "网关文件（不写则为 edge.toml）";

/// The Chinese for a command or a word of it; the words that every command has stand without it.
pub fn zh(command: &str, word: Option<&str>) -> Option<&'static str> {
    let whole = word.map_or_else(|| command.to_owned(), |word| format!("{command}.{word}"));
    let all = || ZH.iter().chain(help_lab::ZH).chain(help_device::ZH);
    let find = |key: &str| all().find(|(k, _)| *k == key).map(|(_, text)| *text);
    find(&whole).or_else(|| find(word?))
}

/// Around the lists of commands and words.
pub const ZH_TEMPLATE: &str = "{about}\n\n用法：{usage}\n\n{all-args}";
pub const ZH_COMMANDS: &str = "命令";
pub const ZH_ARGUMENTS: &str = "参数";
pub const ZH_OPTIONS: &str = "选项";

texts! {
    unknown_word(word: &str) zh("不认识“{word}”") en("there is no \"{word}\" here")
    wrong_value(word: &str, value: &str) zh("{word} 的值“{value}”不对") en("\"{value}\" is no value for {word}")
    wrong_value_because(word: &str, value: &str, why: &str)
        zh("{word} 的值“{value}”不对：{why}") en("\"{value}\" is no value for {word}: {why}")
    no_value(word: &str) zh("{word} 后面没有写值") en("{word} wants a value")
    one_of(words: &str) zh("可以写 {words}") en("write {words}")
    conflict(word: &str, other: &str) zh("{word} 和 {other} 不能一起写") en("{word} and {other} exclude each other")
    missing(words: &str) zh("缺少 {words}") en("{words} is missing")
    no_command() zh("没有写命令") en("no command is given")
    malformed() zh("命令行写错了") en("the command line is wrong")
    see_help() zh("--help 列出可以写什么") en("--help lists what may be written")
}
