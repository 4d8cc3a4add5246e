package static

import (
	"bytes"
	"fmt"
	"math"
)

// logStyles is the style sheet with the colors of terminals. Only pages with a log load it.
const logStyles = "ansi.css"

// rgb is a color of sRGB, each channel from 0 to 255.
type rgb [3]float64

// firstColors are the first sixteen colors of terminals.
var firstColors = [16]rgb{
	{0, 0, 0}, {205, 30, 40}, {20, 140, 60}, {170, 120, 0},
	{35, 80, 215}, {160, 45, 170}, {0, 135, 150}, {200, 205, 210},
	{110, 120, 130}, {240, 75, 80}, {35, 185, 95}, {225, 170, 30},
	{75, 130, 255}, {205, 95, 220}, {25, 185, 200}, {255, 255, 255},
}

// paletteColor returns a color of the palette of terminals: sixteen colors, a cube of six levels of red,
// green and blue, and grays.
func paletteColor(n int) rgb {
	switch {
	case n < 16:
		return firstColors[n]
	case n >= 232:
		level := float64(8 + 10*(n-232))
		return rgb{level, level, level}
	}
	level := func(step int) float64 {
		if step == 0 {
			return 0
		}
		return float64(55 + 40*step)
	}
	n -= 16
	return rgb{level(n / 36), level(n / 6 % 6), level(n % 6)}
}

// Logs are shown on these backgrounds, which tokens.css names: the surface, and marked and found lines.
var (
	lightBackgrounds = []rgb{{0xff, 0xff, 0xff}, {0xe8, 0xee, 0xfc}, {0xf0, 0xf3, 0xf9}}
	darkBackgrounds  = []rgb{{0x15, 0x1a, 0x21}, {0x1a, 0x26, 0x42}, {0x1b, 0x22, 0x2c}}
)

// minContrast is the contrast of readable text that WCAG asks for.
const minContrast = 4.5

// luminance returns the relative luminance that WCAG defines.
func (c rgb) luminance() float64 {
	var linear rgb
	for i, channel := range c {
		channel /= 255
		linear[i] = channel / 12.92
		if channel > 0.04045 {
			linear[i] = math.Pow((channel+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
}

// contrast returns the contrast of two colors that WCAG defines, from 1 to 21.
func (c rgb) contrast(other rgb) float64 {
	a, b := c.luminance(), other.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// readableOn returns the color mixed with as little of another one as makes it readable on all backgrounds.
func (c rgb) readableOn(backgrounds []rgb, with rgb) rgb {
	const steps = 50
	for step := range steps {
		share := float64(step) / steps
		var mixed rgb
		for i := range c {
			mixed[i] = math.Round(c[i]*(1-share) + with[i]*share)
		}
		if mixed.isReadableOn(backgrounds) {
			return mixed
		}
	}
	return with
}

func (c rgb) isReadableOn(backgrounds []rgb) bool {
	for _, background := range backgrounds {
		if c.contrast(background) < minContrast {
			return false
		}
	}
	return true
}

// onIt returns black or white, whichever is readable on the color.
func (c rgb) onIt() rgb {
	black, white := rgb{}, rgb{255, 255, 255}
	if c.contrast(white) >= c.contrast(black) {
		return white
	}
	return black
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(c[0]), int(c[1]), int(c[2]))
}

// logColors returns logStyles: the classes for the colors of terminals in logs. On a background, text is
// black or white, because no foreground is readable on all of them.
func logColors() []byte {
	var out bytes.Buffer
	for n := range 256 {
		color := paletteColor(n)
		light := color.readableOn(lightBackgrounds, rgb{})
		dark := color.readableOn(darkBackgrounds, rgb{255, 255, 255})
		fmt.Fprintf(&out, ".fg-%d{color:light-dark(%v,%v)}", n, light, dark)
		fmt.Fprintf(&out, ".bg-%d{color:%v;background:%v}\n", n, color.onIt(), color)
	}
	return out.Bytes()
}
