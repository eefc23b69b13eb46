//! What the tools say that ask a device.

use std::path::Path;

use steward_protocols::exchange::Refusal;
use steward_shared::reading::Quality;

use super::{Lang, texts, told};

texts! {
    name_a_device() zh("请写设备名，或用 --line 写明线路") en("name a device, or describe a line by --line")
    no_device(name: &str, file: &Path)
        zh("{} 中没有设备“{name}”", file.display())
        en("there is no device \"{name}\" in {}", file.display())
    no_device_but(name: &str, file: &Path, meant: &str)
        zh("{} 中没有设备“{name}”；是不是 {meant}？", file.display())
        en("there is no device \"{name}\" in {}; did you mean {meant}?", file.display())
    no_point(key: &str, profile: &str)
        zh("设备档案 {profile} 中没有点位“{key}”")
        en("the profile {profile} has no point \"{key}\"")
    no_point_but(key: &str, profile: &str, meant: &str)
        zh("设备档案 {profile} 中没有点位“{key}”；是不是 {meant}？")
        en("the profile {profile} has no point \"{key}\"; did you mean {meant}?")
    network_fails(line: &str, why: &str)
        zh("BACnet 网络 {line} 不能使用：{why}；如果网关程序正在用它，请用 --config 写明它的文件")
        en("the BACnet network {line} cannot be used: {why}; if the daemon has it, name its file by --config")
    tells_by_mqtt(name: &str)
        zh("设备 {name} 自己通过 MQTT 上报，不能主动询问；它的值在状态页 /status 和中心")
        en("the device {name} tells by MQTT and cannot be asked; its values are in /status and at the hub")
    head(device: &str, profile: &str, line: &str, address: &str)
        zh("设备 {device}（{profile}），线路 {line}，地址 {address}")
        en("device {device} ({profile}), line {line}, address {address}")
    head_by_hand(line: &str, address: u8, table: &str)
        zh("{line}，地址 {address}，{table}")
        en("{line}, address {address}, {table}")
    goes_on(why: &str) zh("{why}；继续尝试，Ctrl-C 结束") en("{why}; it is tried again, Ctrl-C ends it")
    goes_well() zh("又读到了") en("it is read again")
    nothing_read() zh("什么也没有读到") en("nothing was read")
    past_the_end() zh("地址超过 65535") en("the addresses reach past 65535")
    socket_forbidden(data: &Path)
        zh("网关程序正在运行，但当前用户不能向它借用线路；请以 root 或数据目录 {} 的所有者运行", data.display())
        en("the daemon runs, and this user may not borrow lines of it; run this as root or as the owner of {}", data.display())
    daemon_knows_no_line(line: &str)
        zh("正在运行的网关程序没有线路 {line}；它用的是另一个文件，或者还没有采用这个文件")
        en("the running daemon has no line {line}: it runs with another file, or has not taken this one over")
    line_is_lent(line: &str)
        zh("线路 {line} 已被另一个工具借用，或空不出来；请稍后再试")
        en("the line {line} is lent to another tool, or does not become free; try again later")
    daemon_is_deaf(why: &str)
        zh("不能向正在运行的网关程序借用线路：{why}；可先停止它（systemctl stop steward-edge）")
        en("the running daemon cannot be asked for the line: {why}; stop it first (systemctl stop steward-edge)")
    somebody() zh("另一个程序") en("another program")
    port_is_held(port: &str, holder: &str)
        zh("{port} 正被 {holder} 占用；如果那是网关程序，请改用 --config 和设备名，线路会在两次提问之间借出")
        en("{port} is held by {holder}; if that is the daemon, name its file by --config and the device: it lends the line between two questions")
    port_fails(port: &str, why: &str) zh("{port} 不能使用：{why}") en("{port} cannot be used: {why}")
    host_fails(host: &str, port: u16, why: &str)
        zh("连不上 {host} 的端口 {port}：{why}") en("{host} port {port} cannot be reached: {why}")
    hung_up() zh("对方没有应答就断开了连接") en("the other end closed the connection instead of answering")
    babbling()
        zh("线路上一直有杂音，无法提问；检查接线、终端电阻和串口参数")
        en("the line never falls silent: check wiring, termination and the port's settings")
    no_reply(why: &str)
        zh("没有应答（{why}）") en("{why}")
    bad_reply(why: &str) zh("应答不可信（{why}）") en("{why}")
    refused_as(text: &str, meaning: &str) zh("设备拒绝：{meaning}（{text}）") en("the device refuses: {text}{meaning}")
}

pub fn no_answer(lang: Lang, quality: Quality, why: &str) -> String {
    let why = told(lang, why);
    if quality == Quality::NoReply { no_reply(lang, &why) } else { bad_reply(lang, &why) }
}

/// A device that says no; the standard's exceptions have a Chinese name too.
pub fn refused(lang: Lang, refusal: &Refusal) -> String {
    let meaning = match (lang, refusal.quality) {
        (Lang::En, _) => "",
        (Lang::Zh, Quality::Refused(1)) => "不支持此功能码",
        (Lang::Zh, Quality::Refused(2)) => "没有这个地址",
        (Lang::Zh, Quality::Refused(3)) => "值或数量不允许",
        (Lang::Zh, Quality::Refused(4)) => "设备故障",
        (Lang::Zh, Quality::Refused(5 | 6)) => "设备忙",
        (Lang::Zh, Quality::Refused(10 | 11)) => "网关后面的设备没有应答",
        (Lang::Zh, _) => "异常",
    };
    refused_as(lang, &refusal.text, meaning)
}

/// Why there is no value.
pub fn quality(lang: Lang, quality: Quality) -> String {
    let (zh, en) = match quality {
        Quality::NoValue => ("设备说没有值", "the device has no value"),
        Quality::Undecodable => ("不是这种类型的值", "what came is no value of this type"),
        Quality::NoReply => ("没有应答", "no reply"),
        Quality::BadReply => ("应答不可信", "the reply cannot be believed"),
        Quality::LineDown => ("线路中断", "the line is down"),
        _ => return quality.to_string(),
    };
    lang.pick(zh, en).to_owned()
}
