//go:build docker

// Package docker_test runs the image and the compose file for real, with the
// docker and docker-compose commands. Every image, container, volume and network
// bears the run's own name and is removed at its end.
package docker_test
