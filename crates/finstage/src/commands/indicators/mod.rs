//! `finstage indicators`

mod columns;
mod compute;
mod output;
mod rows;

use finstage_quant::{ALL, FOREVER, Param, Spec};
use serde_json::{Value, json};

use super::{print_json, print_line, print_table};
use crate::cli::{Global, Indicators};
use crate::exit::{Exit, Result};
use columns::Wanted;

pub(super) fn run(global: &Global, args: &Indicators) -> Result<Exit> {
    match args {
        Indicators::List => list(global)?,
        Indicators::Show { name } => show(global, &Wanted::parse(name)?)?,
        Indicators::Compute(args) => compute::run(global, args)?,
    }
    Ok(Exit::Done)
}

fn list(global: &Global) -> Result<()> {
    if global.json {
        return ALL.iter().try_for_each(|spec| print_line(&object(spec).to_string()));
    }
    let row = |spec: &Spec| {
        let params: Vec<String> =
            spec.params.iter().map(|p| format!("{}={}", p.name, p.default)).collect();
        let (inputs, outputs) = (inputs(spec).join(" "), spec.outputs.join(" "));
        vec![spec.name.to_owned(), inputs, params.join(" "), outputs, spec.describes.to_owned()]
    };
    let rows: Vec<Vec<String>> = ALL.iter().map(row).collect();
    print_table(&["name", "inputs", "params", "outputs", "describes"], &rows)
}

fn show(global: &Global, wanted: &Wanted) -> Result<()> {
    let Wanted { spec, params, .. } = wanted;
    let defaults: Vec<f64> = spec.params.iter().map(|param| param.default).collect();
    if global.json {
        let mut value = object(spec);
        value["defaults"] = bars_needed(spec, &defaults);
        value["given"] = bars_needed(spec, params);
        return print_json(&value);
    }
    print_line(&format!("{}: {}", spec.name, spec.describes))?;
    print_line(&format!("reads      {}", inputs(spec).join(" ")))?;
    print_line(&format!("says       {}", spec.outputs.join(" ")))?;
    if let Some(undefined) = spec.undefined {
        print_line(&format!("no value   {undefined}"))?;
    }
    for param in spec.params {
        let Param { name, default, min, max, whole } = param;
        let whole = if *whole { ", whole" } else { "" };
        print_line(&format!("param      {name} = {default} ({min} to {max}{whole})"))?;
    }
    print_line(&format!("defaults   {}", needs(spec, &defaults)))?;
    if *params != defaults {
        print_line(&format!("as given   {}", needs(spec, params)))?;
    }
    Ok(())
}

fn inputs(spec: &Spec) -> Vec<&'static str> {
    spec.inputs.iter().map(|field| field.as_str()).collect()
}

/// How many bars it needs with these parameters, for people.
fn needs(spec: &Spec, params: &[f64]) -> String {
    let stream = (spec.build)(params);
    let memory = match stream.memory() {
        FOREVER => "every bar since the first".to_owned(),
        bars => format!("{bars} bars"),
    };
    let called = called(spec, params);
    format!("{called}: first value with bar {}, remembers {memory}", stream.warmup())
}

/// How it is written with these parameters.
fn called(spec: &Spec, params: &[f64]) -> String {
    if params.is_empty() {
        return spec.name.to_owned();
    }
    let pairs: Vec<String> =
        spec.params.iter().zip(params).map(|(p, value)| format!("{}={value}", p.name)).collect();
    format!("{}({})", spec.name, pairs.join(","))
}

/// As [`needs`], for programs; a memory without end is null.
fn bars_needed(spec: &Spec, params: &[f64]) -> Value {
    let stream = (spec.build)(params);
    let memory = Some(stream.memory()).filter(|&bars| bars != FOREVER);
    json!({"spec": called(spec, params), "warmup": stream.warmup(), "memory": memory})
}

fn object(spec: &Spec) -> Value {
    // A list, because parameters that are given without names go by their order.
    let params: Vec<Value> = spec
        .params
        .iter()
        .map(|p| json!({"name": p.name, "default": p.default, "min": p.min, "max": p.max, "whole": p.whole}))
        .collect();
    json!({
        "name": spec.name,
        "inputs": inputs(spec),
        "params": params,
        "outputs": spec.outputs,
        "undefined": spec.undefined,
        "describes": spec.describes,
    })
}
