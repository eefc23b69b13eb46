//! What several commands say.

use super::texts;

/// `1 fault`, `2 faults`: English counts, Chinese does not.
pub fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

texts! {
    error(why: &str) zh("错误：{why}") en("{why}")
    signals() zh("不能接收信号") en("signals cannot be heard")
    runtime() zh("程序不能启动运行时") en("the runtime cannot be made")
}
