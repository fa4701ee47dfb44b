//! What is handed out: the program with completions, manual pages, unit and checksums as one archive,
//! and an image of a container with nothing else in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::debian::run;
use crate::{output_of, pages, python, root};

/// Files of the workspace that go along.
const ALONG: &[&str] = &["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];
/// Shells and the name of the file that each looks for.
const SHELLS: [(&str, &str); 3] =
    [("bash", "finstage"), ("zsh", "_finstage"), ("fish", "finstage.fish")];
/// Authorities that the image trusts.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Whom the program runs as in the image; nobody's number on most systems.
const USER: &str = "65532";

/// Builds the archive and the image, and says what came of it.
pub(crate) fn make() -> Result<()> {
    let target = python::target_folder()?;
    output_of("cargo", &["build", "--release", "--quiet", "--locked", "--package", "finstage"])?;
    let dist = target.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("removing {}", dist.display()))?;
    }
    let name = full_name(&target.join("release").join("finstage"))?;
    let folder = dist.join(&name);
    let program = put_program(&target, &folder)?;
    put_pages(&program, &folder)?;
    put_along(&folder)?;
    let archive = dist.join(format!("{name}.tar.gz"));
    tar(&dist, &[&name], &archive, &["--use-compress-program=gzip -9n"])?;
    let image = image(&dist, &program, &name)?;
    let sums = sums(&dist, &[&archive, &image])?;
    fs::remove_dir_all(&folder).context("removing what was packed")?;
    for line in sums.lines() {
        let file = line.split_whitespace().last().unwrap_or_default();
        let size = fs::metadata(dist.join(file))?.len() as f64 / f64::from(1 << 20);
        println!("{line}  {size:.1} MiB");
    }
    eprintln!("    in {}; an image is tried with: podman load -i FILE", dist.display());
    Ok(())
}

/// `finstage-0.1.0-x86_64-linux`
fn full_name(program: &Path) -> Result<String> {
    let version = output_of(&program.to_string_lossy(), &["--version"])?;
    let version = version.split_whitespace().nth(1).context("the program says no version")?;
    Ok(format!("finstage-{version}-{}-{}", std::env::consts::ARCH, std::env::consts::OS))
}

/// The program without symbols.
fn put_program(target: &Path, folder: &Path) -> Result<PathBuf> {
    let (from, to) = (target.join("release").join("finstage"), folder.join("finstage"));
    fs::create_dir_all(folder)?;
    fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
    run(Command::new("strip").arg(&to))?;
    Ok(to)
}

/// Completions and manual pages, as the program itself prints them.
fn put_pages(program: &Path, folder: &Path) -> Result<()> {
    let program = program.to_string_lossy();
    let completions = folder.join("completions");
    fs::create_dir_all(&completions)?;
    for (shell, file) in SHELLS {
        fs::write(completions.join(file), output_of(&program, &["completions", shell])?)?;
    }
    let pages = folder.join("man");
    fs::create_dir_all(&pages)?;
    fs::write(pages.join("finstage.1"), output_of(&program, &["man"])?)?;
    for command in pages::commands(&output_of(&program, &["--help"])?) {
        let page = output_of(&program, &["man", &command])?;
        fs::write(pages.join(format!("finstage-{command}.1")), page)?;
    }
    Ok(())
}

fn put_along(folder: &Path) -> Result<()> {
    let root = root()?;
    for name in ALONG {
        fs::copy(root.join(name), folder.join(name)).with_context(|| format!("copying {name}"))?;
    }
    for (from, pattern) in [("packaging", "service"), ("examples", "toml")] {
        let (from, to) = (root.join(from), folder.join(from));
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from).with_context(|| format!("reading {}", from.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == pattern) {
                fs::copy(&path, to.join(path.file_name().context("a file has a name")?))?;
            }
        }
    }
    Ok(())
}

/// An archive whose bytes follow from the files alone.
fn tar(from: &Path, what: &[&str], to: &Path, more: &[&str]) -> Result<()> {
    let fixed = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    let mut tar = Command::new("tar");
    tar.args(fixed).args(more).arg("--create").arg("--file").arg(to).arg("--directory").arg(from);
    run(tar.args(what))
}

/// An image as `docker load` and `podman load` read it: the program, the system's libraries that it
/// asks for, the authorities that it trusts.
fn image(dist: &Path, program: &Path, name: &str) -> Result<PathBuf> {
    let (tree, parts) = (dist.join("rootfs"), dist.join("image"));
    for folder in ["usr/bin", "etc/ssl/certs", "etc/finstage", "var/lib/finstage", "tmp"] {
        fs::create_dir_all(tree.join(folder))?;
    }
    fs::create_dir_all(&parts)?;
    fs::copy(program, tree.join("usr/bin/finstage"))?;
    for library in libraries(&output_of("ldd", &[&program.to_string_lossy()])?) {
        let to = tree.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().context("a library lies in a folder")?)?;
        fs::copy(library, to).with_context(|| format!("copying {library}"))?;
    }
    if Path::new(CERTIFICATES).exists() {
        fs::copy(CERTIFICATES, tree.join(CERTIFICATES.trim_start_matches('/')))?;
    }
    let passwd = format!("finstage:x:{USER}:{USER}::/var/lib/finstage:/usr/bin/finstage\n");
    fs::write(tree.join("etc/passwd"), passwd)?;
    run(Command::new("chmod").arg("1777").args([tree.join("var/lib/finstage"), tree.join("tmp")]))?;
    tar(&tree, &["."], &parts.join("layer.tar"), &[])?;
    let layer = sum(&parts.join("layer.tar"))?;
    let tag = name.split('-').nth(1).unwrap_or("latest");
    fs::write(parts.join("config.json"), config(&layer).to_string())?;
    let manifest = json!([{
        "Config": "config.json", "RepoTags": [format!("finstage:{tag}")], "Layers": ["layer.tar"],
    }]);
    fs::write(parts.join("manifest.json"), manifest.to_string())?;
    let to = dist.join(format!("{name}-image.tar"));
    tar(&parts, &["config.json", "layer.tar", "manifest.json"], &to, &[])?;
    for folder in [&tree, &parts] {
        fs::remove_dir_all(folder)?;
    }
    Ok(to)
}

fn config(layer: &str) -> Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": USER,
            "Entrypoint": ["/usr/bin/finstage"],
            "Cmd": ["serve", "--config", "/etc/finstage/finstage.toml"],
            "Env": [
                "PATH=/usr/bin", "FINSTAGE_STORE__PATH=/var/lib/finstage", "HOME=/var/lib/finstage",
                "MIMALLOC_PURGE_DELAY=0",
            ],
            "Volumes": {"/var/lib/finstage": {}},
            "WorkingDir": "/var/lib/finstage",
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
    })
}

/// The files that `ldd` names.
fn libraries(said: &str) -> Vec<&str> {
    let paths =
        said.lines().filter_map(|line| line.split_whitespace().find(|w| w.starts_with('/')));
    paths.collect()
}

fn sum(file: &Path) -> Result<String> {
    let said = output_of("sha256sum", &[&file.to_string_lossy()])?;
    let sum = said.split_whitespace().next().unwrap_or_default();
    ensure!(sum.len() == 64, "sha256sum said {said}");
    Ok(sum.to_owned())
}

/// Writes `SHA256SUMS`, as `sha256sum --check` reads it.
fn sums(dist: &Path, files: &[&Path]) -> Result<String> {
    let mut text = String::new();
    for file in files {
        let name = file.file_name().context("a file has a name")?.to_string_lossy();
        text.push_str(&format!("{}  {name}\n", sum(file)?));
    }
    fs::write(dist.join("SHA256SUMS"), &text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_the_files_among_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x7f)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x7f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries(said), expected);
    }
}
