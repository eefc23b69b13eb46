//! What `simulate` says.

use super::common::counted;
use super::texts;

texts! {
    nowhere()
        zh("没有写在哪里应答；请写 --listen 127.0.0.1:1502 或 --pty，也可以两个都写")
        en("nothing says where to answer; write --listen 127.0.0.1:1502 or --pty, or both")
    only_modbus(profile: &str, language: &str)
        zh("{profile} 说的是 {language}；模拟器只应答 Modbus，请换一个 Modbus 档案")
        en("{profile} speaks {language}; the simulator answers Modbus alone, take a profile of that")
    set_how(given: &str)
        zh("“{given}”不对；请写成 --set frequency=49.2")
        en("\"{given}\" fixes nothing; write it like --set frequency=49.2")
    cannot_listen(address: &str, why: &str)
        zh("不能在 {address} 上监听：{why}；请换一个端口")
        en("nobody can listen at {address}: {why}; take another port")
    on_tcp(profile: &str, address: &str)
        zh("{profile} 在 {address} 上应答 Modbus TCP")
        en("{profile} answers Modbus TCP at {address}")
    on_pty(profile: &str, unit: u8, path: &str, port: &str)
        zh("{profile} 在 {path} 上应答 Modbus RTU，地址 {unit}，{port}")
        en("{profile} answers Modbus RTU at {path}, unit {unit}, {port}")
    orders() zh("可以输入命令；help 列出它们，Ctrl-C 结束") en("orders may be typed; help lists them, Ctrl-C ends it")
    is_set(key: &str, value: &str) zh("{key} 固定为 {value}") en("{key} stays {value}")
    freed(count: usize)
        zh("{count} 个点位恢复变化")
        en("{} again", counted(count, "point moves", "points move"))
    broken(what: &str) zh("现在的故障：{what}") en("broken now: {what}")
    mended(count: usize) zh("排除了 {count} 个故障") en("mended: {}", counted(count, "fault", "faults"))
    no_value() zh("无值") en("no value")
    help()
        zh("set 点位=值\t固定一个点位（none 表示无值）\nfree [点位]\t恢复变化\nbreak 故障\tsilent  late by=2s  exception code=2  wrong-crc share=0.1  cut  foreign  false-count  two-answers by=4ms  reboot for=6s  rollover；都可以加 for=30s 和 share=0.5\nmend\t排除全部故障\nvalues\t显示全部当前值\nquit\t结束")
        en("set key=value\tfix a point (none: it has no value)\nfree [key]\tlet it move again\nbreak FAULT\tsilent  late by=2s  exception code=2  wrong-crc share=0.1  cut  foreign  false-count  two-answers by=4ms  reboot for=6s  rollover; each may have for=30s and share=0.5\nmend\tmend every fault\nvalues\tshow what every point shows now\nquit\tend")
}
