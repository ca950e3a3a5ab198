{{/* Whether a port below 1024 is opened. */}}
{{- define "tidegate.lowPorts" -}}
{{- $ports := list (include "tidegate.port" (list . "http")) (include "tidegate.port" (list . "https")) -}}
{{- range $transport := list "tcp" "udp" -}}
{{- $ports = concat $ports (keys (default dict (get $.Values $transport))) -}}
{{- end -}}
{{- range $ports }}{{ if lt (int .) 1024 }}{{ . }} {{ end }}{{ end -}}
{{- end -}}

{{/*
What containerSecurityContext says of a container, as JSON: (root, run, controller or dataplane). Files of ingress-nginx
have one container in mind: the two here stay two users, and only the one that opens ports of clients gets capabilities.
*/}}
{{- define "tidegate.securityContext.given" -}}
{{- $given := deepCopy (default dict (first .).Values.controller.containerSecurityContext) -}}
{{- if and (eq (last .) "dataplane") (not (kindIs "invalid" $given.runAsUser)) -}}
{{- $_ := unset $given "runAsUser" -}}
{{- end -}}
{{- if and (eq (last .) "controller") $given.capabilities -}}
{{- $_ := set $given "capabilities" (omit $given.capabilities "add") -}}
{{- end -}}
{{- toJson $given -}}
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
{{- mergeOverwrite $context (include "tidegate.securityContext.given" . | fromJson) | toJson -}}
{{- end -}}

{{/* Whether both containers would be one user, who could look into the other's memory. The cluster may give out one. */}}
{{- define "tidegate.oneUser" -}}
{{- $controller := (include "tidegate.securityContext" (list . "controller") | fromJson).runAsUser -}}
{{- $dataplane := (include "tidegate.securityContext" (list . "dataplane") | fromJson).runAsUser -}}
{{- if and .Values.controller.split (not (kindIs "invalid" $controller)) (eq (toString $controller) (toString $dataplane)) }}true{{ end -}}
{{- end -}}

{{/* Whether a container would be root and must not be: the kubelet starts none. */}}
{{- define "tidegate.rootless" -}}
{{- $contexts := list -}}
{{- if eq "true" (include "tidegate.defaultBackend.runs" .) -}}
{{- $contexts = append $contexts (include "tidegate.defaultBackend.securityContext" .) -}}
{{- end -}}
{{- range ternary (list "controller" "dataplane") (list "run") .Values.controller.split -}}
{{- $contexts = append $contexts (include "tidegate.securityContext" (list $ .)) -}}
{{- end -}}
{{- range $contexts -}}
{{- $context := fromJson . -}}
{{- if and $context.runAsNonRoot (eq "0" (toString $context.runAsUser)) }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/* What of the context of the container that faces the network is weaker than by default. */}}
{{- define "tidegate.weakened" -}}
{{- $context := include "tidegate.securityContext" (list . (ternary "dataplane" "run" .Values.controller.split)) | fromJson -}}
{{- $weak := list -}}
{{- range $field, $safe := dict "allowPrivilegeEscalation" false "privileged" false "readOnlyRootFilesystem" true "runAsNonRoot" true -}}
{{- if eq (toString (get $context $field)) (toString (not $safe)) -}}
{{- $weak = append $weak (printf "%s=%v" $field (not $safe)) -}}
{{- end -}}
{{- end -}}
{{- if not (has "ALL" (default list $context.capabilities.drop)) -}}
{{- $weak = append $weak "capabilities.drop without ALL" -}}
{{- end -}}
{{- with without (default list $context.capabilities.add) "NET_BIND_SERVICE" -}}
{{- $weak = append $weak (printf "capabilities.add=%s" (join "," .)) -}}
{{- end -}}
{{- if not (has ($context.seccompProfile).type (list "RuntimeDefault" "Localhost")) -}}
{{- $weak = append $weak "no seccompProfile" -}}
{{- end -}}
{{- join ", " $weak -}}
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
