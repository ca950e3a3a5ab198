//! The echo backend, the image packer and the harness of the end-to-end tests.
