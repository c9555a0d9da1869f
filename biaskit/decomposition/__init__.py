"""What each word of a prompt tells about an image, measured on a denoiser without sampling from it."""
