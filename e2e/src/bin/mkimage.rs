//! `mkimage`: packs local files into a container image archive.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use e2e::image::{File, Image};

/// Pack local files into a container image (an OCI archive), without an engine.
///
/// Either a known image: mkimage --product tidegate --binary PATH --out X.tar
/// or any other: mkimage --out X.tar --name NAME --entrypoint '["/a"]' SRC=DST...
#[derive(Debug, Parser)]
struct Options {
    /// The archive to write.
    #[arg(long)]
    out: PathBuf,
    /// The image's name and tag; a known image has one of its own.
    #[arg(long)]
    name: Option<String>,
    /// A known image.
    #[arg(long, requires = "binary", conflicts_with_all = ["user", "entrypoint", "files"])]
    product: Option<Product>,
    /// The program of a known image.
    #[arg(long, requires = "product")]
    binary: Option<PathBuf>,
    /// uid:gid of the process.
    #[arg(long, default_value = "")]
    user: String,
    /// Program and arguments, as a JSON list.
    #[arg(long)]
    entrypoint: Option<String>,
    /// SOURCE=PATH: a local file and its absolute path in the image.
    files: Vec<String>,
}

/// The images that this project makes.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Product {
    Tidegate,
    Echo,
    Pause,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let image = image(&options)?;
    write(&image, &options.out).with_context(|| format!("writing {}", options.out.display()))?;
    writeln!(std::io::stdout(), "{} is the image {}", options.out.display(), image.name)?;
    Ok(())
}

fn image(options: &Options) -> anyhow::Result<Image> {
    let mut image = match (options.product, &options.binary) {
        (Some(product), Some(binary)) => known(product, binary),
        _ => other(options)?,
    };
    if let Some(name) = &options.name {
        image.name.clone_from(name);
    }
    Ok(image)
}

fn known(product: Product, binary: &Path) -> Image {
    match product {
        Product::Tidegate => Image::tidegate(binary),
        Product::Echo => Image::echo(binary),
        Product::Pause => Image::pause(binary),
    }
}

fn other(options: &Options) -> anyhow::Result<Image> {
    let entrypoint = options.entrypoint.as_deref().context("--product or --entrypoint is needed")?;
    Ok(Image {
        name: options.name.clone().context("--name is needed")?,
        user: options.user.clone(),
        entrypoint: serde_json::from_str(entrypoint).context("--entrypoint is not a JSON list of strings")?,
        ports: Vec::new(),
        files: options.files.iter().map(|file| parse_file(file)).collect::<anyhow::Result<_>>()?,
    })
}

fn parse_file(text: &str) -> anyhow::Result<File> {
    match text.split_once('=') {
        Some((source, path)) if path.starts_with('/') => {
            Ok(File { source: source.into(), path: path.to_owned(), binds_low_ports: false })
        }
        _ => bail!("{text:?} is not SOURCE=/ABSOLUTE/PATH"),
    }
}

/// Under another name first: whoever sees the archive sees all of it.
fn write(image: &Image, out: &Path) -> anyhow::Result<()> {
    let part = out.with_extension("part");
    let mut file = BufWriter::new(fs::File::create(&part)?);
    image.write(&mut file)?;
    file.flush()?;
    fs::rename(&part, out)?;
    Ok(())
}
