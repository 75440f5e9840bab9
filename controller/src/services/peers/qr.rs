//! The client's configuration as a QR code.

use qrcode::{EcLevel, QrCode, render::svg, types::QrError};
use tonic::{Code, Status};
use wgfleet_proto::v1::{GetPeerQrResponse, QrFormat};

use super::config;
use crate::{
    services::{
        Core,
        auth::Caller,
        status::{internal, invalid, refuse},
    },
    store::PeerId,
};

/// Pixels of a module: a phone reads it from a screen at arm's length.
const MODULE_PIXELS: usize = 8;
/// Modules around it, as the standard wants them.
const QUIET_ZONE: usize = 4;

/// The QR code of a peer's configuration.
///
/// # Errors
/// As the configuration itself; `config_incomplete` when its private key is not kept, and
/// `config_too_long` when no QR code holds it.
pub(super) async fn get(
    core: &Core,
    caller: Caller,
    id: PeerId,
    format: i32,
) -> Result<GetPeerQrResponse, Status> {
    let format =
        QrFormat::try_from(format).map_err(|_| invalid("format", "there is no such format"))?;
    let config = config::get(core, caller, id).await?;
    if !config.complete {
        let why = "the private key is not kept here, so a client can't be set up from a QR code: \
                   it has the key itself, and needs only GET /config";
        let code = Code::FailedPrecondition;
        return Err(refuse(code, "config_incomplete", None, why));
    }
    let code = encode(&config.config)?;
    let (image, media_type) = match format {
        QrFormat::Png => (to_png(&code)?, "image/png"),
        QrFormat::Unspecified | QrFormat::Svg => (to_svg(&code), "image/svg+xml"),
    };
    Ok(GetPeerQrResponse {
        image,
        media_type: media_type.into(),
    })
}

/// With as much room for damage as it can have.
fn encode(config: &str) -> Result<QrCode, Status> {
    let [first, second] = [EcLevel::M, EcLevel::L];
    let code = QrCode::with_error_correction_level(config, first)
        .or_else(|_| QrCode::with_error_correction_level(config, second));
    code.map_err(|error| match error {
        QrError::DataTooLong => {
            let why = format!(
                "the configuration has {} bytes, and a QR code holds 2953 at most: give the peer \
                 fewer client_allowed_ips or addresses, or use GET /config",
                config.len()
            );
            refuse(Code::FailedPrecondition, "config_too_long", None, why)
        }
        other => internal(&other.to_string()),
    })
}

fn to_svg(code: &QrCode) -> Vec<u8> {
    let side = u32::try_from(MODULE_PIXELS).unwrap_or(1);
    let mut drawing = code.render::<svg::Color<'_>>();
    drawing.module_dimensions(side, side).quiet_zone(true);
    drawing.build().into_bytes()
}

/// One bit a pixel, black on white.
fn to_png(code: &QrCode) -> Result<Vec<u8>, Status> {
    let modules = code.width();
    let pixels = (modules + 2 * QUIET_ZONE) * MODULE_PIXELS;
    let colors = code.to_colors();
    let is_dark = |x: usize, y: usize| {
        let module = |pixel: usize| (pixel / MODULE_PIXELS).checked_sub(QUIET_ZONE);
        let (Some(x), Some(y)) = (module(x), module(y)) else {
            return false;
        };
        x < modules && y < modules && colors[y * modules + x] == qrcode::Color::Dark
    };
    let mut rows = Vec::with_capacity(pixels * pixels.div_ceil(8));
    for y in 0..pixels {
        for byte in 0..pixels.div_ceil(8) {
            let bits = (0..8).filter(|bit| !is_dark(byte * 8 + bit, y));
            rows.push(bits.fold(0_u8, |row, bit| row | (0x80 >> bit)));
        }
    }
    let side = u32::try_from(pixels).map_err(|error| internal(&error.to_string()))?;
    let mut image = Vec::new();
    let mut encoder = png::Encoder::new(&mut image, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&rows));
    written.map_err(|error| internal(&error.to_string()))?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::status::wgfleet_code;

    #[test]
    fn as_long_as_a_qr_code_holds_and_no_longer() {
        for bytes in [1, 500, 2331, 2332, 2953] {
            let code = encode(&"a".repeat(bytes)).expect("room for it");
            let level = if bytes <= 2331 {
                EcLevel::M
            } else {
                EcLevel::L
            };
            assert_eq!(code.error_correction_level(), level, "{bytes}");
        }
        let refused = encode(&"a".repeat(2954)).err().expect("no room");
        assert_eq!(wgfleet_code(&refused), Some("config_too_long"));
        assert!(refused.message().contains("2954 bytes"));
    }

    #[test]
    fn drawn_black_on_white_with_a_quiet_zone() {
        let code = encode("[Interface]\n").expect("room for it");
        let svg = String::from_utf8(to_svg(&code)).expect("text");
        assert!(svg.starts_with("<?xml") && svg.ends_with("</svg>"));
        let image = to_png(&code).expect("an image");
        assert!(image.starts_with(b"\x89PNG\r\n\x1a\n"));
        let side = (code.width() + 8) * 8;
        assert_eq!(
            image[16..20],
            u32::try_from(side).expect("small").to_be_bytes()
        );
    }
}
