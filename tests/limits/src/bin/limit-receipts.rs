//! The bare loop of receipts: `limit-receipts receipts|paced DATABASE SECONDS NUMBER`, ports on standard input.
//!
//! Owns: the limits of B1 (`receipts`, 1 commit each) and B2 (`paced`, NUMBER each second), a part of B4 (2 commits).
//! Must never: use code of this workspace beyond the other limit code.

use kassette_limits::commits::Commits;
use kassette_limits::register::{FILL, OPEN_SHIFT, Register, close};
use nix::time::ClockId;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What a receipt stores: as many bytes as a row with numbers, times and a sum needs.
const ROW: [u8; 256] = [0x55; 256];

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or_else(|| io::Error::other("MODE DATABASE SECONDS NUMBER"))
    };
    let (mode, database) = (next()?, next()?);
    let seconds = Duration::from_secs(next()?.parse().map_err(io::Error::other)?);
    let number: f64 = next()?.parse().map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let commits = Commits::start(Path::new(&database)).map_err(io::Error::other)?;
        let lines = io::stdin().lines().map(|line| Register::open(Path::new(&line?)));
        let registers: Vec<_> = lines.collect::<io::Result<_>>()?;
        for register in &registers {
            register.exchange(OPEN_SHIFT).await?;
        }
        println!("{{\"ready\":true}}");
        match mode.as_str() {
            "paced" => paced(registers, &commits, seconds, number).await,
            _ => receipts(registers, &commits, seconds, number).await,
        }
    })
}

async fn receipt(register: &Register, closing: &[u8]) -> io::Result<()> {
    for payload in FILL {
        register.exchange(payload).await?;
    }
    register.exchange(closing).await
}

/// One task for each register: receipt, group commits, receipt; prints how many were made at what CPU.
async fn receipts(registers: Vec<Register>, commits: &Commits, seconds: Duration, each: f64) -> io::Result<()> {
    let (until, closing) = (Instant::now() + seconds, Arc::new(close()));
    let mut tasks = JoinSet::new();
    for register in registers {
        let (commits, closing) = (commits.clone(), Arc::clone(&closing));
        tasks.spawn(async move {
            let mut made = 0_u64;
            while Instant::now() < until {
                receipt(&register, &closing).await?;
                for _ in 0..each as u32 {
                    commits.commit(vec![ROW.to_vec()]).await?;
                }
                made += 1;
            }
            Ok::<_, io::Error>(made)
        });
    }
    let mut made = 0;
    while let Some(ended) = tasks.join_next().await {
        made += ended.map_err(io::Error::other)??;
    }
    let cpu = ClockId::CLOCK_PROCESS_CPUTIME_ID.now().map_err(io::Error::other)?;
    let cpu_us = Duration::from(cpu).as_micros();
    println!("{{\"made\":{made},\"cpu_us\":{cpu_us}}}");
    Ok(())
}

/// Receipts at a rate, each with three group commits; prints the microseconds of each.
async fn paced(registers: Vec<Register>, commits: &Commits, seconds: Duration, rate: f64) -> io::Result<()> {
    let (give, mut free) = tokio::sync::mpsc::unbounded_channel();
    for register in registers {
        give.send(register).map_err(|_| io::Error::other("no registers"))?;
    }
    let (begin, closing) = (Instant::now(), Arc::new(close()));
    let mut tasks = JoinSet::new();
    for n in 0_u32.. {
        let due = Duration::from_secs_f64(f64::from(n) / rate);
        if due >= seconds {
            break;
        }
        tokio::time::sleep_until((begin + due).into()).await;
        let Some(register) = free.recv().await else { break };
        let (commits, closing, give) = (commits.clone(), Arc::clone(&closing), give.clone());
        tasks.spawn(async move {
            let begin = Instant::now();
            commits.commit(vec![ROW.to_vec()]).await?;
            commits.commit(vec![ROW.to_vec()]).await?;
            receipt(&register, &closing).await?;
            commits.commit(vec![ROW.to_vec()]).await?;
            let spent = begin.elapsed();
            let _ = give.send(register);
            Ok::<_, io::Error>(spent)
        });
    }
    let mut spent = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        spent.push(ended.map_err(io::Error::other)??.as_micros());
    }
    println!("{{\"spent_us\":{spent:?}}}");
    Ok(())
}
