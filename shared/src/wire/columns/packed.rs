//! pco (the wrapped format of `pco` 1.x: header, chunk meta, one page) for columns that are worth it. What a
//! hostile chunk could make pco allocate is bounded here: the count is the caller's, a dictionary is refused (this
//! encoder writes none), and a lookback window may not be longer than the largest column.

use pco::ChunkConfig;
use pco::data_types::Number;
use pco::metadata::DeltaEncoding;
use pco::wrapped::{FileCompressor, FileDecompressor};

use super::error::MAX_READINGS;

/// Mode "dictionary" in the low four bits of a chunk's first byte (pco's format description, "chunk metadata").
const MODE_DICTIONARY: u8 = 4;

/// Absent only if pco refuses its own configuration; the caller then stores the column in another way.
pub(super) fn encode<T: Number>(values: &[T]) -> Option<Vec<u8>> {
    let file = FileCompressor::default();
    let mut chunk = file.chunk_compressor(values, &ChunkConfig::default()).ok()?;
    let out = file.write_header(Vec::new()).ok()?;
    let out = chunk.write_meta(out).ok()?;
    let out = chunk.write_page(0, out).ok()?;
    (chunk.n_per_page() == [values.len()]).then_some(out)
}

/// Exactly `n` values, or nothing.
pub(super) fn decode<T: Number + Default>(bytes: &[u8], n: usize) -> Option<Vec<T>> {
    if n > MAX_READINGS {
        return None;
    }
    let (file, rest) = FileDecompressor::new(bytes).ok()?;
    if rest.first()? & 0x0f == MODE_DICTIONARY {
        return None;
    }
    let (mut chunk, rest) = file.chunk_decompressor::<T, _>(rest).ok()?;
    if let DeltaEncoding::Lookback { config, .. } = &chunk.meta().delta_encoding
        && 1usize << config.window_n_log.min(63) > MAX_READINGS.next_power_of_two()
    {
        return None;
    }
    let mut page = chunk.page_decompressor(rest, n).ok()?;
    let mut out = vec![T::default(); n];
    let progress = page.read(&mut out).ok()?;
    (progress.finished && progress.n_processed == n && page.into_src().is_empty()).then_some(out)
}
