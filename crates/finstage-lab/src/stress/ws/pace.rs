//! What one connection's messages cost, without a network: for figures.

use super::Ticker;
use super::line::READ_BYTES;
use super::reader::{Heard, Reader};

/// `count` tickers as Binance sends them over a combined stream, in frames.
#[must_use]
pub fn ticker_frames(count: u32) -> Vec<u8> {
    let mut wire = Vec::new();
    for n in 0..count {
        let text = format!(
            "{{\"stream\":\"btcusdt@ticker\",\"data\":{{\"e\":\"24hrTicker\",\"E\":{},\"s\":\"BTCUSDT\",\
             \"p\":\"-94.99999800\",\"P\":\"-0.155\",\"w\":\"61250.12345678\",\"x\":\"61345.00000000\",\
             \"c\":\"61250.{:08}\",\"Q\":\"0.00120000\",\"b\":\"61249.99000000\",\"B\":\"4.31000000\",\
             \"a\":\"61250.00000000\",\"A\":\"9.10000000\",\"o\":\"61345.00000000\",\"h\":\"61999.00000000\",\
             \"l\":\"60800.10000000\",\"v\":\"8913.30000000\",\"q\":\"545913301.27000000\",\"O\":1672429382136,\
             \"C\":1672515782136,\"F\":28385,\"L\":28460,\"n\":76}}}}",
            1_672_515_782_136_u64 + u64::from(n),
            n,
        );
        wire.push(0x81);
        wire.push(126);
        wire.extend_from_slice(&(text.len() as u16).to_be_bytes());
        wire.extend_from_slice(text.as_bytes());
    }
    wire
}

/// Reads frames as a connection does, in pieces of its buffer: text checked, tickers read whole. How
/// many were tickers.
#[must_use]
pub fn read_tickers(wire: &[u8]) -> u64 {
    let (mut reader, mut buffer, mut tickers) = (Reader::default(), vec![0; READ_BYTES], 0);
    let mut left = wire;
    while !left.is_empty() {
        let front = reader.lay_out(&mut buffer);
        let length = left.len().min(buffer.len() - front);
        buffer[front..front + length].copy_from_slice(&left[..length]);
        left = &left[length..];
        let heard = reader.take((&buffer, front + length), &mut |heard| {
            if let Heard::Text(text) = heard {
                tickers += u64::from(Ticker::read(text).is_some_and(|t| t.trades == 76));
            }
        });
        if heard.is_err() {
            break;
        }
    }
    tickers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ticker_of_a_stream_is_read() {
        assert_eq!(read_tickers(&ticker_frames(1_000)), 1_000);
    }
}
