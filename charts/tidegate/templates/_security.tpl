{{/* Whether a port below 1024 is opened. */}}
{{- define "tidegate.lowPorts" -}}
{{- $ports := list (include "tidegate.port" (list . "http")) (include "tidegate.port" (list . "https")) -}}
{{- range $transport := list "tcp" "udp" -}}
{{- $ports = concat $ports (keys (default dict (get $.Values $transport))) -}}
{{- end -}}
{{- range $ports }}{{ if lt (int .) 1024 }}{{ . }} {{ end }}{{ end -}}
{{- end -}}

{{/*
The security context of a container as JSON: (root, run, controller or dataplane). containerSecurityContext wins, field by
field. In a Pod's own network a sysctl opens low ports to everybody; on the node's network, where none may be set, it is
the capability, which the image's file has too.
*/}}
{{- define "tidegate.securityContext" -}}
{{- $controller := (first .).Values.controller -}}
{{- $plane := last . -}}
{{- $image := $controller.image -}}
{{- $capabilities := dict "drop" (list "ALL") -}}
{{- if and $controller.hostNetwork (ne $plane "controller") (include "tidegate.lowPorts" (first .)) -}}
{{- $_ := set $capabilities "add" (list "NET_BIND_SERVICE") -}}
{{- end -}}
{{- $context := dict
  "runAsNonRoot" $image.runAsNonRoot
  "runAsUser" (ternary $controller.dataplane.runAsUser $image.runAsUser (eq $plane "dataplane"))
  "runAsGroup" $image.runAsGroup
  "allowPrivilegeEscalation" $image.allowPrivilegeEscalation
  "readOnlyRootFilesystem" $image.readOnlyRootFilesystem
  "seccompProfile" $image.seccompProfile
  "capabilities" $capabilities
-}}
{{- mergeOverwrite $context (deepCopy (default dict $controller.containerSecurityContext)) | toJson -}}
{{- end -}}

{{/* The security context of the Pod as JSON; podSecurityContext wins, and its sysctls are added. */}}
{{- define "tidegate.podSecurityContext" -}}
{{- $controller := .Values.controller -}}
{{- $given := deepCopy (default dict $controller.podSecurityContext) -}}
{{- $values := dict -}}
{{- if not $controller.hostNetwork -}}
{{- $_ := set $values "net.ipv4.ip_unprivileged_port_start" "0" -}}
{{- end -}}
{{- range default list $given.sysctls -}}
{{- $_ := set $values .name .value -}}
{{- end -}}
{{- range $name, $value := $controller.sysctls -}}
{{- $_ := set $values $name (include "tidegate.text" $value) -}}
{{- end -}}
{{- $sysctls := list -}}
{{- range $name, $value := $values -}}
{{- $sysctls = append $sysctls (dict "name" $name "value" (toString $value)) -}}
{{- end -}}
{{- $context := mergeOverwrite (dict "fsGroup" $controller.image.runAsGroup) (omit $given "sysctls") -}}
{{- if $sysctls -}}
{{- $_ := set $context "sysctls" $sysctls -}}
{{- end -}}
{{- $context | toJson -}}
{{- end -}}
